"""Every key has the effect that docs/settings.md says; those of the aggregator are in tests/aggregator."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from meshkit.configuration.key_descriptions import keys
from meshkit.configuration.mesh import FeedSettings, RpcEndpoint
from meshkit.configuration.model import set_without_effect
from meshkit.configuration.solution import Configuration
from meshkit.paths import DataDir, RunDir, SecretsDir
from services.aggregator import config as aggregator
from services.dbinit import config as dbinit
from services.metrics import config as metrics
from services.operator.config import OperatorConfig
from services.supervisor import config as supervisor
from services.supervisor.plan.plan_input import PlanInput
from services.supervisor.plan.service_definitions import services_of
from tests.deployment import deployment
from tests.meshkit.configuration.leaves import changed, leaves

ROOT = Path(__file__).parents[3]


def base() -> Configuration:
    """Return a configuration in which every section is there and on."""
    document = deployment(devchain={"enabled": True}, market={"enabled": True})
    document["solution"]["metricsPush"] = {
        "enabled": True,
        "url": "https://push.example",
        "basicAuth": {"username": "u", "password": "pppppppp"},
    }
    return Configuration.model_validate(document)


def views(found: Configuration) -> dict[str, Any]:
    """Return what each service makes of a configuration."""
    solution = found.solution
    given = PlanInput(
        configuration=found,
        run_dir=RunDir(solution.mesh.run_dir),
        data_dir=DataDir(solution.mesh.data_dir),
        secrets_dir=SecretsDir(Path(solution.sp_secrets_dir)),
        runtimes=dict.fromkeys(range(1, solution.total_nodes + 1), "embedded"),
        python="python",
        environment={},
        faucet_address=solution.faucet_private_key.get_secret_value(),
        is_root=True,
    )
    return {
        "price-aggregator": aggregator.read(found),
        "dbinit": dbinit.from_configuration(found, Path("/run/x")),
        "process-metrics": metrics.from_configuration(found),
        "operator": OperatorConfig.of(found),
        "supervisor": (supervisor.settings(found, {}), services_of(given)),
    }


BASE = base()
BEFORE = views(BASE)
# What no rule makes of the type alone.
OTHERS: dict[str, object] = {
    "solution.metricsPush.headers": {"X-Key": SecretStr("another")},
    "solution.mesh.contracts.addresses": {"BTC / USD": "0xABaBaBaBABabABabAbAbABAbABabababaBaBABaB"},
    "solution.adminContractAddress": "0xABaBaBaBABabABabAbAbABAbABabababaBaBABaB",
    "solution.linkCa": "0xABaBaBaBABabABabAbAbABAbABabababaBaBABaB",
    "solution.mesh.feedSettings": {"BTC / USD": FeedSettings(heartbeatMs=1)},
    "solution.mesh.rpcEndpoints": (RpcEndpoint(name="b", httpUrl="https://b.example", wsUrl="wss://b.example"),),
}
# Of a mesh that is spread out (tests/cli/serve), of files beside it (tests/meshkit/configuration/feeds), of what the
# host has (tests/supervisor/plan/test_plan_input.py), and of what is checked and then no longer needed
# (test_start_check.py).
ELSEWHERE = (
    *("solution.mesh.network", "solution.mesh.postgres.url"),
    *("solution.mesh.runtime", "solution.mesh.supervisor.nodeUidBase"),
    *("solution.chainlinkFeedTemplatesDir", "solution.mesh.contracts.addressesFile"),
)
CHECKED = ("solution.nodesList", "solution.signature")
OF_THE_AGGREGATOR = ("solution.priceAggregatorConfig", "solution.mesh.aggregator")
PLACES = {place: way for place, way in leaves(BASE) if not place.startswith((*ELSEWHERE, *CHECKED, *OF_THE_AGGREGATOR))}
DESCRIBED = {key.path: key for key in keys()}


@pytest.mark.parametrize("place", sorted(PLACES))
def test_a_key_has_the_effect_that_is_said(place: str) -> None:
    """Another value changes what those take that read it, and what nobody else takes; one without effect, nothing."""
    described = DESCRIBED[place]
    after = views(changed(BASE, PLACES[place], OTHERS.get(place)))
    differing = {service for service, view in after.items() if view != BEFORE[service]}

    if described.no_effect:
        assert set() == differing
        return
    # What the plan says of a service is the supervisor's; a node's files are made by the operator.
    readers = set(described.services) | {"supervisor"}
    readers |= {"operator"} if "chainlink-node" in readers else set()
    readers |= {"dbinit"} if "postgres" in readers else set()
    assert differing
    assert set() == differing - readers


def test_every_key_is_in_the_documentation() -> None:
    """With its meaning, what is allowed, and why it has no effect if it has none."""
    lines = (ROOT / "docs" / "settings.md").read_text().splitlines()
    for key in DESCRIBED.values():
        row = [line for line in lines if line.startswith(f"| `{key.path.rpartition('.')[2]}` |")]
        assert any(key.meaning.replace("|", "\\|") in line for line in row), key.path
        assert key.meaning
        assert f"without effect: {key.no_effect}" in key.meaning or not key.no_effect


def test_what_is_without_effect_is_told_of_each_given_key() -> None:
    """Of every such key that a file gives, by its place, and of no other."""
    found = dict(set_without_effect(BASE.solution, "solution"))
    assert {path for path in found if path in DESCRIBED} == {
        key.path for key in DESCRIBED.values() if key.no_effect and _is_given(BASE, key.path)
    }


def _is_given(configuration: Configuration, path: str) -> bool:
    section: Any = configuration.solution
    for name in path.split(".")[1:]:
        if not isinstance(section, BaseModel):
            return False
        attribute = next(each for each, field in type(section).model_fields.items() if field.alias == name)
        if attribute not in section.model_fields_set:
            return False
        section = section.__dict__[attribute]
    return True
