"""What a new plan changes."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.paths import RunDir
from services.supervisor.config import LogSettings, Settings
from services.supervisor.plan.consequences import consequences
from services.supervisor.plan.make_plan import make_plan
from services.supervisor.plan.mesh_plan import MeshPlan
from services.supervisor.plan.plan_difference import Change, ChangeKind, Difference, difference, differing_keys
from services.supervisor.plan.service_spec import RestartPolicy, ServiceSpec
from tests.supervisor.fakes import scenario_specs
from tests.supervisor.plan.conftest import HOST, SIGNED

NODES = [f"chainlink-node-{number}" for number in range(1, 6)]
KEYS = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(".".join)
DIGESTS = st.dictionaries(KEYS, st.sampled_from("xy"), max_size=8)
Edit = Callable[[dict[str, Any]], object]


def plan_of(*specs: ServiceSpec) -> MeshPlan:
    """Return a plan of some services."""
    return MeshPlan(Settings(RunDir(Path("/run/x")), LogSettings(Path("/x"))), specs)


def test_services() -> None:
    """Each service is added, removed, restarted for what it runs with, or updated in its rules; or is not named."""
    old, new = plan_of(*scenario_specs("chain")), plan_of(*scenario_specs("changed"))

    assert Difference((), ()) == difference(old, old)
    assert (
        Change("third", ChangeKind.RESTARTED, ("needs", "environment")),
        Change("fourth", ChangeKind.ADDED),
        Change("prepare", ChangeKind.REMOVED),
        Change("second", ChangeKind.REMOVED),
    ) == difference(old, new).changes
    first = old.services[0]
    rules = replace(first, policy=RestartPolicy(max_restarts=9))

    assert (Change("first", ChangeKind.UPDATED, ("policy",)),) == difference(plan_of(first), plan_of(rules)).changes


@pytest.fixture(name="plans")
def _plans(tmp_path: Path) -> Callable[[Edit], tuple[MeshPlan, MeshPlan]]:
    """Give the plans of a deployment's file before and after an edit of its solution."""

    def plans(edit: Edit) -> tuple[MeshPlan, MeshPlan]:
        document = json.loads(SIGNED.read_text())
        document["solution"]["mesh"] = {
            "dataDir": str(tmp_path / "data"),
            "runDir": "/run/x",
            "runtime": "embedded",
            "feeds": ["BTC / USD"],
            "contracts": {"deploy": True},
        }
        path = tmp_path / "configuration.json"
        path.write_text(json.dumps(document))
        before = make_plan(path, HOST)
        edit(document["solution"])
        path.write_text(json.dumps(document))
        return before, make_plan(path, HOST)

    return plans


@pytest.mark.parametrize(
    ("edit", "keys", "restarted"),
    [
        (
            lambda solution: solution["priceAggregatorConfig"].update(port=3999),
            ["solution.priceAggregatorConfig.port"],
            {"price-aggregator", "operator"},
        ),
        (
            lambda solution: solution.update(chainlinkPassword="another password"),
            ["solution.chainlinkPassword"],
            {"operator", *NODES},
        ),
        (lambda solution: solution.update(faucetMinWei=7), ["solution.faucetMinWei"], {"operator"}),
        (lambda solution: solution.update(maxRestarts=9), ["solution.maxRestarts"], set()),
        (
            lambda solution: solution.update(metricsPush={"enabled": False}),
            ["solution.metricsPush"],
            {"process-metrics"},
        ),
        (
            lambda solution: solution["priceAggregatorConfig"]["sources"].pop("kraken"),
            ["solution.priceAggregatorConfig.sources.kraken"],
            {"price-aggregator"},
        ),
        (
            lambda solution: solution.update(pgPassword="another password"),
            ["solution.pgPassword"],
            {"dbinit", "postgres-init", "operator", *NODES},
        ),
        (
            lambda solution: solution["mesh"].update(postgres={"maxConnections": 99}),
            ["solution.mesh.postgres.maxConnections"],
            {"dbinit", "postgres", "postgres-bootstrap", "postgres-init"},
        ),
    ],
)
def test_a_key_restarts_who_reads_it(
    plans: Callable[[Edit], tuple[MeshPlan, MeshPlan]], edit: Edit, keys: list[str], restarted: set[str]
) -> None:
    """The keys that differ are named, and so is each service that reads one of them; nobody else is restarted."""
    found = difference(*plans(edit))

    assert keys == list(found.keys)
    assert restarted == {change.name for change in found.changes if change.kind is ChangeKind.RESTARTED}
    assert all(keys == list(change.keys) for change in found.changes if change.kind is ChangeKind.RESTARTED)


def test_null_is_not_absent(plans: Callable[[Edit], tuple[MeshPlan, MeshPlan]]) -> None:
    """A rate of null means no bound, an absent one the source's own."""

    def absent(solution: dict[str, Any]) -> None:
        del solution["priceAggregatorConfig"]["sources"]["binance"]["rps"]

    def null(solution: dict[str, Any]) -> None:
        solution["priceAggregatorConfig"]["sources"]["binance"]["rps"] = None

    found = differing_keys(plans(absent)[1].keys, plans(null)[1].keys)

    assert ("solution.priceAggregatorConfig.sources.binance.rps",) == found


@pytest.mark.parametrize(
    ("edit", "sentences"),
    [
        (
            lambda solution: solution["mesh"].update(feeds=["BTC / USD", "EUR / USD"]),
            [
                "price-aggregator restarts",
                "operator restarts",
                "EUR / USD: a contract will be deployed, unless one was before",
            ],
        ),
        (
            lambda solution: solution["mesh"].update(feeds=[]),
            ["BTC / USD: its jobs will be deleted; its contract stays on chain and gets no more answers"],
        ),
        (
            lambda solution: solution["mesh"]["contracts"].update(addresses={"BTC / USD": "0x" + "ab" * 20}),
            [f"BTC / USD: its contract will be 0x{'ab' * 20}"],
        ),
        (
            lambda solution: solution["mesh"].update(feeds=["ETH / USD"], contracts={}),
            [
                "ETH / USD: it has no contract and gets no answers; name one in solution.mesh.contracts.addresses, "
                "or set solution.mesh.contracts.deploy",
            ],
        ),
        (
            lambda solution: solution["mesh"].update(ocr={"deltaCMs": 1000}),
            ["every feed: its contract will be configured anew, because of solution.mesh.ocr.deltaCMs"],
        ),
        (
            lambda solution: solution.update(totalNodes=6, nodesList="1 2 3 4 5 6"),
            [
                "chainlink-node-6 starts",
                "postgres-init runs again",
                "every feed: its contract will be configured anew, because of solution.totalNodes",
            ],
        ),
        (lambda solution: solution.update(signature="x"), ["solution.signature: nobody reads it, so nothing follows"]),
        (lambda solution: solution.update(maxRestarts=9), ["operator goes on under other rules of supervision"]),
        (lambda solution: solution["mesh"].update(devchain={"enabled": True}), ["devchain starts"]),
        (
            lambda solution: solution.update(chainlinkKeystorePassword="another password"),
            [
                "solution.chainlinkKeystorePassword: key files that were made with the old one cannot be read with "
                "another, so the operator fails until the old one is back"
            ],
        ),
    ],
)
def test_what_follows_is_said(
    plans: Callable[[Edit], tuple[MeshPlan, MeshPlan]], edit: Edit, sentences: list[str]
) -> None:
    """Services, feeds, contracts and keys each have their sentence, before anything is applied."""
    old, new = plans(edit)
    found = consequences(old, new, difference(old, new))

    assert [] == [sentence for sentence in sentences if sentence not in found]


def test_what_does_not_differ_has_no_consequence(plans: Callable[[Edit], tuple[MeshPlan, MeshPlan]]) -> None:
    """Another order of the keys, or a default that is written out, is the same configuration."""
    old, new = plans(lambda solution: solution.update(bootstrapNodes=1, maxRestarts=solution.pop("maxRestarts", 3)))

    assert Difference((), ()) == difference(old, new)
    assert () == consequences(old, new, difference(old, new))


def test_a_removed_service_stops_for_good() -> None:
    """It is named though the new plan does not know it."""
    old, new = plan_of(*scenario_specs("chain")), plan_of(*scenario_specs("changed"))

    assert {"second stops for good", "prepare stops for good", "third restarts", "fourth starts"} == set(
        consequences(old, new, difference(old, new))
    )


@given(DIGESTS, DIGESTS)
def test_what_differs_is_named_and_only_that(old: dict[str, str], new: dict[str, str]) -> None:
    """Each difference is at or below a named key; below each named key there is one."""
    found = differing_keys(old, new)
    differing = {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}

    assert [] == [key for key in differing if not any(key == name or key.startswith(f"{name}.") for name in found)]
    assert [] == [name for name in found if not any(key == name or key.startswith(f"{name}.") for key in differing)]
    assert (found == ()) == (old == new)
