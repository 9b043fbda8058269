"""The life of a deployment whose nodes are Chainlink's own program."""

import pytest

from tests.image import inspection
from tests.image.mesh import PRODUCT, Mesh, identities
from tests.image.podman import once
from tests.image.report import note

pytestmark = pytest.mark.image


def test_a_life_with_real_nodes(mesh: Mesh) -> None:
    """Five rounds, an ordered stop and a second start; each node is a user of its own, and nothing of it is seen."""
    if int(once(PRODUCT, "stat", "-c", "%s", "/usr/local/bin/chainlink")) < 1_000_000:
        pytest.skip("the image has no chainlink program: name one by CHAINLINK_BIN, or run make chainlink-node")
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
