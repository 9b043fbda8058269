"""What follows from a change, in sentences."""

import json
from pathlib import Path
from typing import Any

import pytest

from services.supervisor.plan.consequences import consequences
from services.supervisor.plan.plan_difference import Difference, difference
from tests.supervisor.fakes import scenario_specs
from tests.supervisor.plan.plans import Edit, Plans, plan_of

CONTRACT = "0xABaBaBaBABabABabAbAbABAbABabababaBaBABaB"


def deployed_before(solution: dict[str, Any]) -> None:
    """Serve a feed that no address and no leave to deploy is given for, but which the operator remembers."""
    operator = Path(solution["mesh"]["dataDir"]) / "operator"
    operator.mkdir(parents=True)
    known = {"chainId": solution["chainlinkChainId"], "feeds": {"ETH / USD": {"address": CONTRACT}}}
    (operator / "feeds.json").write_text(json.dumps(known))
    solution["mesh"].update(feeds=["ETH / USD"], contracts={})


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
            lambda solution: solution["mesh"].update(feeds=["ETH / USD"]),
            ["BTC / USD: its jobs will be deleted; its contract stays on chain and gets no more answers"],
        ),
        (
            lambda solution: solution["mesh"]["contracts"].update(addresses={"BTC / USD": CONTRACT}),
            [f"BTC / USD: its contract will be {CONTRACT}"],
        ),
        (
            deployed_before,
            ["ETH / USD: its contract will be the one of an earlier run"],
        ),
        (
            lambda solution: solution["mesh"].update(ocr={"deltaCMs": 900_000}),
            ["every feed: its contract will be configured anew, because of solution.mesh.ocr.deltaCMs"],
        ),
        (
            lambda solution: solution["mesh"].update(feedSettings={"BTC / USD": {"heartbeatMs": 900_000}}),
            [
                "every feed with settings of its own: its contract will be configured anew, because of "
                "solution.mesh.feedSettings"
            ],
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
def test_what_follows_is_said(plans: Plans, edit: Edit, sentences: list[str]) -> None:
    """Services, feeds, contracts and keys each have their sentence, before anything is applied."""
    old, new = plans(edit)
    found = consequences(old, new, difference(old, new))

    assert [] == [sentence for sentence in sentences if sentence not in found]


def test_settings_of_feeds_name_their_feeds(plans: Plans) -> None:
    """A setting that differs, or all of a feed's, is said of that feed once."""
    old, new = plans(lambda _: None)
    keys = ("BTC / USD.rMax", "BTC / USD.heartbeatMs", "A.B / USD", "A.B / USD.rMax")

    found = Difference((), tuple(f"solution.mesh.feedSettings.{key}" for key in keys))

    assert tuple(
        f"{feed}: its contract will be configured anew, because of solution.mesh.feedSettings.{feed}"
        for feed in ("BTC / USD", "A.B / USD")
    ) == consequences(old, new, found)


def test_what_does_not_differ_has_no_consequence(plans: Plans) -> None:
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
