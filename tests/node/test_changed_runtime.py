"""A node that is given another program while its mesh runs, over the same database and with the same keys."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mesh.running import Mesh, wait_until
from tests.node.mesh import Rounds, rounds_until, running

pytestmark = [pytest.mark.chainlink_node, pytest.mark.timeout(1500)]

NODE = "chainlink-node-3"
ORACLES = {f"chainlink-node-{index}" for index in range(2, 6)}
_CHANGED_S = 240.0


@pytest.fixture(name="mesh", scope="module")
def _mesh(chainlink: Path) -> Iterator[Mesh]:
    """Give a mesh in which no node runs Chainlink's program yet."""
    with running(chainlink, "embedded", ["BTC / USD"]) as mesh:
        yield mesh


def _complete(rounds: Rounds) -> bool:
    return any(set(each.observers) == ORACLES for each in rounds)


@pytest.mark.parametrize("runtime", ["chainlink", "embedded"])
def test_a_node_is_given_another_program(mesh: Mesh, runtime: str) -> None:
    """It is restarted alone, and is in reports again; back with its first program it finds what that had left."""
    rounds_until(mesh, _complete, "a report with all oracles")
    before = {name: service["pid"] for name, service in mesh.status().items()}
    config = mesh.data_dir / "configuration.json"
    document = json.loads(config.read_text())
    others = {str(index): "embedded" for index in range(1, 6)}
    document["solution"]["mesh"]["runtime"] = others | {"3": runtime}
    config.write_text(json.dumps(document))
    mesh.command("apply", "--config", str(config))

    def is_changed() -> bool:
        service = mesh.status()[NODE]
        return bool(service["state"] == "healthy" and service["runtime"] == runtime)

    wait_until(f"{NODE} runs {runtime}", is_changed, _CHANGED_S)
    rounds_until(mesh, _complete, "a report with all oracles after the change")
    after = {name: service["pid"] for name, service in mesh.status().items()}
    assert {NODE} == {name for name in before if before[name] != after[name]}
