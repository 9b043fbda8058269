"""A network in which nodes of Chainlink's own program and of ours agree on prices, whichever of them is killed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from meshkit.configuration.node_program import RuntimeName
from tests.mesh.running import Mesh, wait_until
from tests.node.mesh import Rounds, kill, rounds_until, running

pytestmark = [pytest.mark.chainlink_node, pytest.mark.timeout(1500)]

CHAINLINKS = ("chainlink-node-2", "chainlink-node-3")
OURS = ("chainlink-node-4", "chainlink-node-5")
ORACLES = {*CHAINLINKS, *OURS}
_BACK_S = 240.0


@pytest.fixture(name="mesh", scope="module")
def _mesh(chainlink: Path) -> Iterator[Mesh]:
    """Give a mesh of two nodes of theirs and two of ours, which meet through a bootstrap node of ours."""
    runtimes: dict[str, RuntimeName] = {"1": "embedded", "2": "chainlink", "3": "chainlink"}
    with running(chainlink, runtimes | {"4": "embedded", "5": "embedded"}, ["BTC / USD"]) as mesh:
        yield mesh


def _complete(rounds: Rounds) -> bool:
    return any(set(each.observers) == ORACLES for each in rounds)


def _sent_by_each_kind(rounds: Rounds) -> bool:
    transmitters = {each.transmitter for each in rounds}
    return all(transmitters & set(kind) for kind in (CHAINLINKS, OURS))


def test_all_are_in_one_report_and_each_kind_transmits(mesh: Mesh) -> None:
    """A report has observations of all four, and reports are sent by nodes of either program."""
    rounds_until(mesh, _complete, "a report with all oracles")
    rounds_until(mesh, _sent_by_each_kind, "reports sent by a node of theirs, and by one of ours")
    shown = {name: service.get("runtime") for name, service in mesh.status().items() if "runtime" in service}

    expected = dict.fromkeys(("chainlink-node-1", *OURS), "embedded") | dict.fromkeys(CHAINLINKS, "chainlink")
    assert expected == shown


@pytest.mark.parametrize("victim", [CHAINLINKS[0], OURS[0]])
def test_a_killed_node_is_missed_by_nobody_and_comes_back(mesh: Mesh, victim: str) -> None:
    """While rounds are made a node is killed: they go on, and with it again when it is back."""
    rounds_until(mesh, _complete, "a report with all oracles")
    before = mesh.status()[victim]["pid"]
    kill(mesh, victim)
    # Ours may be back before it is missed; theirs takes much longer to start than a round does.
    missed = victim in CHAINLINKS
    rounds_until(
        mesh,
        lambda seen: len(seen) >= 3 and (not missed or any(victim not in each.observers for each in seen)),
        f"reports after {victim} was killed",
    )

    def is_back() -> bool:
        service = mesh.status()[victim]
        return bool(service["state"] == "healthy" and service["pid"] != before)

    wait_until(f"{victim} is back", is_back, _BACK_S)
    rounds_until(mesh, _complete, "a report with all oracles again")
