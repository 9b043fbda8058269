"""What a new plan changes."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.supervisor.plan.plan_difference import Change, ChangeKind, Difference, difference, differing_keys
from services.supervisor.plan.service_spec import RestartPolicy
from tests.supervisor.fakes import scenario_specs
from tests.supervisor.plan.plans import Edit, Plans, plan_of

NODES = [f"chainlink-node-{number}" for number in range(1, 6)]
KEYS = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(".".join)
DIGESTS = st.dictionaries(KEYS, st.sampled_from("xy"), max_size=8)


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


@pytest.mark.parametrize(
    ("edit", "keys", "restarted"),
    [
        (
            lambda solution: solution["priceAggregatorConfig"].update(port=3999),
            ["solution.priceAggregatorConfig.port"],
            {"price-aggregator", "operator", "process-metrics"},
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
def test_a_key_restarts_who_reads_it(plans: Plans, edit: Edit, keys: list[str], restarted: set[str]) -> None:
    """The keys that differ are named, and so is each service that reads one of them; nobody else is restarted."""
    found = difference(*plans(edit))

    assert keys == list(found.keys)
    assert restarted == {change.name for change in found.changes if change.kind is ChangeKind.RESTARTED}
    assert all(keys == list(change.keys) for change in found.changes if change.kind is ChangeKind.RESTARTED)


def test_null_is_not_absent(plans: Plans) -> None:
    """A rate of null means no bound, an absent one the source's own."""

    def absent(solution: dict[str, Any]) -> None:
        del solution["priceAggregatorConfig"]["sources"]["binance"]["rps"]

    def null(solution: dict[str, Any]) -> None:
        solution["priceAggregatorConfig"]["sources"]["binance"]["rps"] = None

    found = differing_keys(plans(absent)[1].keys, plans(null)[1].keys)

    assert ("solution.priceAggregatorConfig.sources.binance.rps",) == found


@given(DIGESTS, DIGESTS)
def test_what_differs_is_named_and_only_that(old: dict[str, str], new: dict[str, str]) -> None:
    """Each difference is at or below a named key; below each named key there is one."""
    found = differing_keys(old, new)
    differing = {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}

    assert [] == [key for key in differing if not any(key == name or key.startswith(f"{name}.") for name in found)]
    assert [] == [name for name in found if not any(key == name or key.startswith(f"{name}.") for key in differing)]
    assert (found == ()) == (old == new)
