"""What the service takes from configuration.json."""

import socket
from pathlib import Path
from typing import Any

import orjson

from meshkit.configuration.solution import Configuration
from meshkit.push.config import PushConfig
from services.metrics.config import MetricsConfig, from_configuration
from services.metrics.verdict.verdict import Limits

VECTOR = Path(__file__).parents[1] / "vectors" / "configuration.signed.json"


def config(push: dict[str, Any] | None = None, shared: dict[str, Any] | None = None, **mesh: Any) -> MetricsConfig:
    """Read a configuration with the given push section."""
    document = orjson.loads(VECTOR.read_bytes())
    document["solution"].pop("metricsPush", None)
    document["solution"]["priceAggregatorConfig"]["metricsPush"] = shared or {}
    document["solution"]["mesh"] = mesh
    if push is not None:
        document["solution"]["metricsPush"] = push
    return from_configuration(Configuration.model_validate(document))


def push(**section: Any) -> PushConfig:
    """Read an enabled push section."""
    found = config({"enabled": True, "url": "https://metrics.example/push"} | section).push
    assert found is not None
    return found


def test_push_is_off_unless_configured() -> None:
    """Without a section, and with a section that is not enabled, nothing is pushed."""
    oracles = frozenset({"chainlink-node-2", "chainlink-node-3", "chainlink-node-4", "chainlink-node-5"})
    # The heartbeat of a day, or the 35 s in which a leader must make progress, and the margin.
    pages = {f"chainlink-node-{index}": f"http://127.0.0.1:{6600 + index}/metrics" for index in range(1, 6)}
    pages["price-aggregator"] = "http://127.0.0.1:3000/metrics"
    limits = Limits(oracles, 86_400 + 90, 35 + 90)
    assert config() == MetricsConfig(3003, None, limits, Path("/sp"), pages, 15_000)
    assert config({"url": "https://metrics.example/push"}).push is None


def test_without_a_section_they_go_where_the_aggregators_go() -> None:
    """The receiver, its credentials and labels are shared; what says which program it is, and how often, is not."""
    shared = {
        "enabled": True,
        "url": "https://metrics.example/push",
        "intervalMs": 15_000,
        "groupingLabels": {"service": "price-aggregator", "environment": "dev"},
        "basicAuth": {"username": "u", "password": "pppppppp"},
        "headers": {"X-Scope": "tenant"},
    }
    found = config(shared=shared).push

    assert found is not None
    assert ("https://metrics.example/push", 5000, "PUT", "3600") == (
        found.url, found.interval_ms, found.method, found.ttl,
    )  # fmt: skip
    assert ("u", "pppppppp", {"X-Scope": "tenant"}) == (found.username, found.password, found.headers)
    assert {"job": "process-metrics", "instance": socket.gethostname(), "ttl": "3600", "environment": "dev"} == (
        found.labels
    )
    assert config(push={"enabled": False}, shared=shared).push is None
    assert config(shared=shared | {"enabled": False}).push is None


def test_port_is_taken() -> None:
    """The page's port is solution.mesh.ports.metrics."""
    assert config(ports={"metrics": 4003}).port == 4003


def test_defaults_are_those_of_process_metrics() -> None:
    """Interval and job are this service's own unless the section says otherwise."""
    assert (push().interval_ms, push().labels) == (
        5000,
        {"job": "process-metrics", "instance": socket.gethostname(), "ttl": "3600"},
    )
    assert (push(intervalMs=15_000).interval_ms, push(jobName="j").labels["job"]) == (15_000, "j")


def test_grouping_labels_win_over_our_own() -> None:
    """A deployment may set instance and ttl itself."""
    labels = push(groupingLabels={"instance": "host-7", "ttl": "60", "environment": "dev"})

    assert labels.labels == {"job": "process-metrics", "instance": "host-7", "ttl": "60", "environment": "dev"}
    assert (labels.ttl, labels.method) == ("60", "PUT")


def test_pages_of_all_processes_are_gathered() -> None:
    """An aggregator that pushes its own page is not asked for it; the interval is the section's."""
    shared = {"enabled": True, "url": "https://metrics.example/push"}
    found = config({"enabled": True, "url": "https://metrics.example/push", "gatherIntervalMs": 60_000}, shared)

    assert (5, 60_000) == (len(found.pages), found.gather_ms)
    assert "price-aggregator" not in found.pages


def test_each_feed_has_its_own_heartbeat_and_deviation() -> None:
    """What a feed goes by is its own setting, else that of all."""
    own = {"ETH / USD": {"heartbeatMs": 600_000, "deviationPpb": 1_000_000}}
    limits = config(feeds=["BTC / USD", "ETH / USD"], ocr={"deltaCMs": 3_600_000}, feedSettings=own).limits

    assert {"BTC / USD": 3600, "ETH / USD": 600} == limits.heartbeats_s
    assert {"BTC / USD": 50, "ETH / USD": 10} == limits.deviations_bps
    assert {"BTC / USD": 3690, "ETH / USD": 690} == limits.longest_ages_s
