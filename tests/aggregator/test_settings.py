"""No setting of the aggregator is ignored in silence: each changes what is read, or says that and why it does not."""

import ast
import copy
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel, SecretStr
from structlog.testing import capture_logs

from meshkit.configuration.aggregation import Aggregation
from meshkit.configuration.aggregator import PriceAggregatorConfig, ProcessMetricsPush
from meshkit.configuration.solution import Solution
from meshkit.push import config as push
from services.aggregator import config
from services.aggregator.sources.settings import SourceConfig
from services.aggregator.streams.settings import StreamConfig
from tests.aggregator.test_config import configuration

ROOT = Path(__file__).parents[2]
Place = tuple[str, ...]

# Every section is there and switched on, so that each setting in it can matter.
BASE: dict[str, Any] = {
    "proxy": "http://proxy.example:3128",
    "metricsPush": {
        "enabled": True,
        "url": "http://receiver.example/push",
        "basicAuth": {"username": "somebody", "password": "something"},
    },
    "pairsTtl": [{"pair": ["BTC", "USD"], "ttl": 4000}],
    "sources": {"coingecko": {"stream": {}}},
}
# What no rule makes of the type alone.
OTHERS: dict[Place, object] = {
    ("metricsPush", "receiver"): "pushgateway",
    ("metricsPush", "caFile"): "/etc/ssl/private-ca.pem",
    ("pairsTtl",): [{"pair": ["ETH", "USD"], "ttl": 4000}],
    ("sources",): {"kraken": {}},
    ("sources", "coingecko", "useProxy"): "http://own.example:3128",
    ("metricsPush", "enabled"): False,
    ("quotes", "requestTimeoutMs"): 5000,
    ("sources", "coingecko", "staleTriggerBeforeExpiry"): 700,
    ("sources", "coingecko", "stream", "rateLimit"): 500,
    ("metricsPush", "groupingLabels"): {"place": "here"},
    ("metricsPush", "headers"): {"X-Place": "here"},
    ("sources", "coingecko", "baseUrl"): "http://mirror.example",
    ("sources", "coingecko", "stream", "wsUrl"): "wss://mirror.example",
    ("proxy",): "http://other.example:3128",
    ("metricsPush", "url"): "http://other.example/push",
}
# It matters only where another one is on.
WITH: dict[Place, dict[Place, object]] = {
    ("proxy",): {("sources", "coingecko", "useProxy"): True},
}


def leaves(model: type[BaseModel], place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Yield place and field of each setting; a source's once, for the source of the base."""
    for field in model.model_fields.values():
        assert field.alias is not None
        here, annotation = (*place, field.alias), field.annotation
        inner = next((each for each in (annotation, *get_args(annotation)) if is_model(each)), None)
        if get_origin(annotation) is dict and inner is not None:
            yield here, field
            yield from leaves(inner, (*here, "coingecko"))
        elif inner is not None and get_origin(annotation) is not tuple:
            yield from leaves(inner, here)
        else:
            yield here, field


def is_model(annotation: object) -> bool:
    """Tell whether an annotation is a section."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def other(place: Place, field: Any) -> object:
    """Return a valid value that is not the default."""
    if place in OTHERS:
        return OTHERS[place]
    types = {field.annotation, *get_args(field.annotation)}
    if bool in types:
        return not field.default
    if int in types or float in types:
        most = next((rule.le for rule in field.metadata if hasattr(rule, "le")), None)
        changed = (field.default or 2) + 1
        return changed if most is None or changed <= most else field.default - 1
    if str in types or SecretStr in types:
        return "another"
    return next(value for value in get_args(field.annotation) if value != field.default)


def changed(document: dict[str, Any], place: Place, value: object) -> dict[str, Any]:
    """Return a document with another value at a place."""
    document = copy.deepcopy(document)
    section = document
    for key in place[:-1]:
        section = section.setdefault(key, {})
    section[place[-1]] = value
    return document


def views(document: dict[str, Any]) -> object:
    """Return all that the service takes from a configuration."""
    whole = configuration(document)
    section = whole.solution.price_aggregator_config.metrics_push
    return config.read(whole), config.read_market_data(whole), push.read(section, "metricsPush", "POST")


SETTINGS = dict(leaves(PriceAggregatorConfig))
VAIN = {place for place, field in SETTINGS.items() if field.deprecated}


@pytest.mark.parametrize("place", sorted(SETTINGS.keys() - VAIN), ids=".".join)
def test_a_setting_has_an_effect(place: Place) -> None:
    """Another value changes what the service reads."""
    base = BASE
    for condition, value in WITH.get(place, {}).items():
        base = changed(base, condition, value)

    assert views(base) != views(changed(base, place, other(place, SETTINGS[place])))


@pytest.mark.parametrize("place", sorted(VAIN), ids=".".join)
def test_a_setting_without_effect_says_so(place: Place) -> None:
    """It changes nothing, the documentation says why, and one warning names it where a file gives it."""
    document = changed(BASE, place, other(place, SETTINGS[place]))
    with capture_logs() as logs:
        assert views(BASE) == views(document)
    warnings = [event["settings"] for event in logs if event["event"] == "settings_without_effect"]

    assert [{"solution.priceAggregatorConfig." + ".".join(place): SETTINGS[place].deprecated}] == warnings
    row = f"Accepted without effect: {SETTINGS[place].deprecated}"
    lines = (ROOT / "docs/settings.md").read_text().splitlines()
    assert [line for line in lines if line.startswith(f"| `{place[-1]}` ") and row in line]


# Values of keys by source, by feed and by class.
RULES: dict[str, Any] = {
    "weights": {"coingecko": 3},
    "max_age_ms": {"coingecko": 5_000},
    "reference_prices": {"NVDA / USD": "121.4"},
    "asset_classes": {"GHO / USD": "others"},
    "max_spread_bps": {"others": 7},
    "jump_guard_bps": {"others": 7},
    "single_source_move_bps": {"others": 7},
}


@pytest.mark.parametrize("name", sorted(name for name, each in Aggregation.model_fields.items() if not each.deprecated))
def test_a_rule_of_the_mesh_has_an_effect(name: str) -> None:
    """Another value of any key of solution.mesh.aggregator changes what the service reads."""
    field = Aggregation.model_fields[name]
    value = RULES[name] if name in RULES else other((name,), field)
    base: dict[str, Any] = {"sources": {"coingecko": {}}}

    assert config.read(configuration(base)) != config.read(configuration(base, rules={str(field.alias): value}))


def test_what_is_read_is_used() -> None:
    """Every value that is taken from the configuration is looked at by some other module of the service."""
    used: set[str] = set()
    for path in (ROOT / "services/aggregator").rglob("*.py"):
        if path.name not in {"config.py", "settings.py"}:
            tree = ast.parse(path.read_text())
            used |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    read = {
        field.name
        for view in (config.AggregatorConfig, SourceConfig, StreamConfig, config.MarketDataConfig)
        for field in dataclasses.fields(view)
    }

    # The times to live of pairs and the bounds of moves are looked up by methods of the configuration itself.
    by_method = {"pair_ttls", "asset_classes", "max_spread_bps", "jump_guard_bps", "single_source_move_bps"}
    assert set() == read - used - by_method - {"move_hold_ms", "first_price_hold_ms"}


def test_the_documentation_is_that_of_the_settings() -> None:
    """The schema marks what has no effect, so that editors show it."""
    schema = json.loads((ROOT / "docs/configuration.schema.json").read_text())
    marked = {
        name
        for section in schema["$defs"].values()
        for name, field in section.get("properties", {}).items()
        if field.get("deprecated")
    }

    beside = {
        str(field.alias)
        for section in (Aggregation, Solution, ProcessMetricsPush)
        for field in section.model_fields.values()
        if field.deprecated
    }

    assert {place[-1] for place in VAIN} | beside == marked
