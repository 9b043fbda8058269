"""The life of a deployment whose nodes are Chainlink's own program."""

import pytest

from tests.image import inspection
from tests.image.mesh import PRODUCT, Mesh, identities
from tests.image.podman import once, wait_until
from tests.image.report import note

pytestmark = pytest.mark.image


@pytest.fixture(name="program", autouse=True)
def _program(images: None) -> None:
    if int(once(PRODUCT, "stat", "-c", "%s", "/usr/local/bin/chainlink")) < 1_000_000:
        pytest.skip("the image has no chainlink program: name one by CHAINLINK_BIN, or run make chainlink-node")


def test_a_life_with_both_programs(mesh: Mesh) -> None:
    """
    Nodes of both programs make rounds together, each as its own user, over a stop and a start too.

    A node that is not named runs the program that there is, which is Chainlink's.
    """
    programs = {"1": "embedded", "2": "embedded", "3": "chainlink", "5": "embedded"}
    mesh.configure(runtime=programs)
    mesh.start()
    mesh.until_healthy(300)
    mesh.until_rounds(5, 180)
    real = {index for index in range(1, 6) if mesh.command_of(f"chainlink-node-{index}")[0].endswith("/chainlink")}
    assert {3, 4} == real
    users = inspection.users(mesh)
    assert {f"chainlink-node-{index}": f"feedmesh-node-{index}" for index in range(1, 6)} == {
        name: user for name, user in users.items() if name.startswith("chainlink-node-")
    }
    note("memory of both programs", ", ".join(f"{index} {mesh.resident_mb(index)} MB" for index in range(1, 6)))
    wait_until("the link of rounds is well", lambda: mesh.link("round") == "well", 60, mesh.container)
    assert 0 == mesh.stop(30)

    mesh.start()
    mesh.until_healthy(300)
    mesh.until_rounds(1, 180)
    assert 0 == mesh.stop(30)


def test_a_life_with_real_nodes(mesh: Mesh) -> None:
    """Five rounds, an ordered stop and a second start; each node is a user of its own, and nothing of it is seen."""
    mesh.configure(runtime="chainlink")
    mesh.start()
    mesh.until_healthy(300)
    mesh.until_rounds(5, 180)
    users = inspection.users(mesh)
    nodes = [name for name in users if name.startswith("chainlink-node-")]
    note("users of real nodes", ", ".join(f"{name} {users[name]}" for name in nodes))
    assert {f"chainlink-node-{index}": f"feedmesh-node-{index}" for index in range(1, 6)} == {
        name: users[name] for name in nodes
    }
    assert {"127.0.0.1"} == inspection.listening_addresses(mesh)
    assert [] == inspection.secrets_in_processes(mesh)
    kept = mesh.contracts(), identities(mesh)
    assert 0 == mesh.stop(30)

    mesh.start()
    mesh.until_healthy(300)
    mesh.until_rounds(1, 180)
    assert kept == (mesh.contracts(), identities(mesh))
    assert 0 == mesh.stop(30)
