"""One deployment's life in its container: start, rounds, users, secrets, kills, stop, start again."""

import shutil
import time
from collections.abc import Iterator

import pytest

from tests.image import inspection
from tests.image.mesh import SECRETS, Mesh, identities
from tests.image.podman import Container, wait_until
from tests.image.report import note

pytestmark = pytest.mark.image

GRACE_S = 20
LONGRUNS = (
    "price-aggregator",
    "operator",
    "process-metrics",
    "dbinit",
    "postgres",
    "chainlink-node-1",
    "chainlink-node-3",
)


@pytest.fixture(scope="module", name="living")
def _living(outside: Container) -> Iterator[Mesh]:
    """Give a mesh that all tests of this file share, as its container lives on."""
    with Mesh.below_a_new_directory(outside) as mesh:
        mesh.configure()
        yield mesh


def test_it_starts_and_makes_rounds(living: Mesh) -> None:
    """Every service becomes healthy, every feed has rounds, and the health check agrees."""
    started_s = living.start()
    living.until_healthy()
    note("container start → all healthy", f"{time.monotonic() - started_s:.1f} s")
    living.until_rounds(1)
    note("container start → first round of every feed", f"{time.monotonic() - started_s:.1f} s")
    living.until_rounds(4)
    wait_until("the health check agrees", lambda: living.inside.health() == (0, "every feed is answered"), 30)


def test_the_verdict_sees_into_the_nodes(living: Mesh) -> None:
    """The metrics service is told by the nodes themselves, whose users are others, that they observe the feeds."""
    wait_until("the link of rounds is well", lambda: living.link("round") == "well", 60, living.container)


def test_every_process_has_the_user_it_should(living: Mesh) -> None:
    """Only the first process is root; each service has a user of its own."""
    users = inspection.users(living)
    note("users", ", ".join(f"{service} {user}" for service, user in sorted(users.items())))
    assert "root" == users.pop("first process")
    assert "root" not in users.values()
    assert len(set(users.values())) == len(users)


def test_nothing_listens_beyond_loopback(living: Mesh) -> None:
    """Every listening TCP socket of the container's network namespace is bound to the loopback address."""
    assert {"127.0.0.1"} == inspection.listening_addresses(living)


def test_no_secret_is_seen(living: Mesh) -> None:
    """No secret stands in a command line, in an environment, or in what the container wrote."""
    assert [] == inspection.secrets_in_processes(living)
    assert [] == inspection.secrets_in(living.inside.log())


@pytest.mark.parametrize("node", [2, 5])
def test_a_node_reaches_only_its_own(living: Mesh, node: int) -> None:
    """A node's user reads no secret but those of its own files, and connects to no socket but its own."""
    own = f"/run/feedmesh/chainlink-node-{node}"
    socket = f"{own}.rpc/chainlink-node-{node}.sock"
    found = inspection.reached(living, f"feedmesh-node-{node}", list(SECRETS.values()))
    assert socket in found
    assert [] == [path for path in found if path != socket and not path.startswith(f"{own}.d/")]


def test_the_metrics_service_calls_every_node(living: Mesh) -> None:
    """It connects to the nodes' sockets, and reads no file of theirs."""
    found = inspection.reached(living, "feedmesh-metrics", ["crypto", *SECRETS.values()])
    sockets = {f"/run/feedmesh/chainlink-node-{node}.rpc/chainlink-node-{node}.sock" for node in range(1, 6)}
    assert sockets == {path for path in found if "node" in path}


@pytest.mark.parametrize("service", ["aggregator", "operator", "dbinit"])
def test_a_service_reads_no_key(living: Mesh, service: str) -> None:
    """A service that is no node reads no node's file and calls no node; only the operator, whose they are, has keys."""
    found = inspection.reached(living, f"feedmesh-{service}", ["crypto", *SECRETS.values()])
    nodes = [path for path in found if "node" in path or "cl-secrets" in path]
    assert (service == "operator") is any(not path.endswith(".sock") for path in nodes)
    assert [] == [path for path in nodes if path.startswith("/run/")]


@pytest.mark.parametrize("service", ["node-1", "node-2", "aggregator", "operator", "metrics", "dbinit"])
def test_a_service_reads_no_file_of_another(living: Mesh, service: str) -> None:
    """No user reads another's file; only dbinit reads how the server is set up, and the password that it logs in by."""
    places = ("feedmesh.conf", "pg_hba.conf", "superuser-password") if service == "dbinit" else ()
    assert {f"/sp/postgresql/{name}" for name in places} == set(inspection.foreign_files(living, f"feedmesh-{service}"))


def test_no_core_file(living: Mesh) -> None:
    """A process that is killed by a fault leaves no core file."""
    pid = living.pid("chainlink-node-4")
    living.inside.kill(pid, "SEGV")
    living.until_replaced("chainlink-node-4", pid)
    assert "" == living.inside.exec("find", "/", "-xdev", "-name", "core*", "-type", "f", "-size", "+1M").stdout


@pytest.mark.parametrize("service", LONGRUNS)
def test_a_killed_service_is_back(living: Mesh, service: str) -> None:
    """Kill -9 of any process is mended, and rounds go on."""
    pid = living.pid(service)
    living.inside.kill(pid, "KILL")
    living.until_replaced(service, pid)
    living.until_healthy()
    living.until_rounds(1)


def test_it_stops_in_order(living: Mesh) -> None:
    """A stop takes less than the grace period and ends with code 0."""
    kept = living.contracts(), identities(living)
    living.inside.stop(GRACE_S)
    assert 0 == int(living.inside.inspect("{{.State.ExitCode}}")), living.inside.log()[-3000:]
    living.remove()

    living.start()
    living.until_healthy()
    living.until_rounds(1)
    assert kept == (living.contracts(), identities(living)), "a second start has other contracts or identities"


def test_secrets_and_configurations_are_enough(living: Mesh) -> None:
    """With all else of /sp lost, the identities and contracts are the same, and rounds go on."""
    kept = living.contracts(), identities(living)
    assert 0 == living.stop()
    for path in living.sp.iterdir():
        if path.name not in {"secrets", "configurations"}:
            shutil.rmtree(path)

    living.start()
    living.until_healthy()
    living.until_rounds(1)
    assert kept == (living.contracts(), identities(living))


def test_everything_is_where_deployments_look_for_it(living: Mesh) -> None:
    """The database's directory and the restart counters have the paths that existing deployments know."""
    pid = living.pid("chainlink-node-3")
    living.inside.kill(pid, "KILL")
    living.until_replaced("chainlink-node-3", pid)
    counters = "/run/service/chainlink-node-3"

    assert "17\n" == living.inside.exec("cat", "/sp/postgresql/data/PG_VERSION").stdout
    assert 1 <= int(living.inside.exec("cat", f"{counters}/restart-count").stdout)
    assert abs(time.time() - int(living.inside.exec("cat", f"{counters}/last-restart").stdout)) < 600


def test_too_many_kills_end_the_container(living: Mesh) -> None:
    """A service that dies more often than allowed ends the container with the code of its death, and is named."""
    for _ in range(3):
        pid = living.pid("chainlink-node-5")
        living.inside.kill(pid, "KILL")
        living.until_replaced("chainlink-node-5", pid)
    living.inside.kill(living.pid("chainlink-node-5"), "KILL")
    assert 137 == living.inside.wait(60)
    assert "chainlink-node-5" in living.inside.log().splitlines()[-1]
