"""Users of the services."""

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from meshkit.paths import RunDir
from services.supervisor.plan.plan_input import PlanInput
from services.supervisor.plan.service_definitions import services_of
from services.supervisor.plan.service_spec import Copy, Directory, Link, ServiceSpec
from services.supervisor.plan.service_users import Accounts, account_names
from services.supervisor.process.child_process import ChildProcess
from tests.supervisor.fakes import ENVIRONMENT
from tests.supervisor.plan.plans import RUNTIMES, all_run

NAMES = tuple(account_names(5))
ACCOUNTS = Accounts({name: (6000 + number, 7000 + number) for number, name in enumerate(NAMES)}, 9000)


@pytest.fixture(name="services")
def _services(given: PlanInput) -> dict[str, ServiceSpec]:
    found = services_of(replace(given, is_root=True, accounts=ACCOUNTS))
    return {spec.name: spec for spec in found}


def test_every_service_has_its_user(services: dict[str, ServiceSpec]) -> None:
    """Every service runs as the user of its account, and only those of the mesh share a group."""
    for name, spec in services.items():
        assert spec.identity is not None, name
        assert ACCOUNTS.users[name] == (spec.identity.uid, spec.identity.gid)
        assert (() if name.startswith("chainlink-node") else (9000,)) == spec.identity.groups


def test_a_service_of_the_mesh(services: dict[str, ServiceSpec], given: PlanInput) -> None:
    """It reads its own copy of the configuration, and its socket lies where only its group can call it."""
    spec, run = services["price-aggregator"], given.run_dir.path
    own = run / "price-aggregator.d"
    assert spec.identity is not None
    assert str(own / "configuration.json") == spec.environment["FEEDMESH_CONFIG"]
    assert (Directory(own, 0o2750, 9000),) == spec.identity.directories
    assert (Copy(run / "configurations" / "price-aggregator.json", own / "configuration.json"),) == spec.identity.copies
    assert (Link(run / "aggregator.sock", "price-aggregator.d/aggregator.sock"),) == spec.identity.links


def test_a_node(services: dict[str, ServiceSpec], given: PlanInput) -> None:
    """It has copies of its own three files, a home, a closed directory, and not the configuration."""
    spec, run, data = services["chainlink-node-3"], given.run_dir.path, given.data_dir
    own = run / "chainlink-node-3.d"
    assert spec.identity is not None
    gid = spec.identity.gid
    assert "FEEDMESH_CONFIG" not in spec.environment
    assert {own / "config.toml", own / "secrets.toml", own / "apicredentials"} <= set(map(Path, spec.command))
    assert not any(word.startswith(str(data.node(3))) for word in spec.command)
    assert (Directory(own, 0o700, gid), Directory(data.node_home(3), 0o700, gid)) == spec.identity.directories[:2]
    assert {data.node(3)} == {copy.source.parent for copy in spec.identity.copies}


def test_the_metrics_service_alone_calls_the_nodes(services: dict[str, ServiceSpec], given: PlanInput) -> None:
    """A node's socket lies apart from its files, in a directory of a group that nobody but the metrics service has."""
    spec, run = services["chainlink-node-3"], given.run_dir.path
    _, observers = ACCOUNTS.users["process-metrics"]
    called = run / "chainlink-node-3.rpc"
    assert spec.identity is not None

    assert Directory(called, 0o2750, observers) == spec.identity.directories[2]
    assert (Link(run / "chainlink-node-3.sock", f"{called.name}/chainlink-node-3.sock"),) == spec.identity.links
    assert called / "chainlink-node-3.sock" in spec.leftovers
    assert {"process-metrics"} == {
        name
        for name, each in services.items()
        if each.identity and observers in (each.identity.gid, *each.identity.groups)
    }


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
async def test_who_can_call_a_node(given: PlanInput, run_dir: Path) -> None:
    """On the file system of this host the metrics service's user connects to a node's socket, and nobody else's."""
    run_dir.chmod(0o755)
    found = services_of(replace(given, is_root=True, accounts=ACCOUNTS, run_dir=RunDir(run_dir)))
    services = {spec.name: spec for spec in found}
    node = services["chainlink-node-3"]
    assert node.identity is not None
    await _made_ready(replace(node, identity=replace(node.identity, copies=())))
    with socket.socket(socket.AF_UNIX) as listening:
        path = node.sockets[0]
        with _as_user_of(node):
            listening.bind(os.path.realpath(path))
            os.chmod(os.path.realpath(path), 0o660)  # noqa: PTH101  # as the server of calls does
            listening.listen()

        assert {"chainlink-node-3", "process-metrics"} == {name for name in NAMES if _can_connect(services[name], path)}


async def _made_ready(spec: ServiceSpec) -> None:
    """Start and end a process of the service's user, for which directories and links are made."""
    ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    output = bytearray()
    spec = replace(spec, command=("true",), environment=ENVIRONMENT)
    ChildProcess(spec, set(), output.extend, ended.set_result)
    async with asyncio.timeout(30):
        assert 0 == await ended, output.decode()


def _can_connect(spec: ServiceSpec, path: Path) -> bool:
    with _as_user_of(spec), socket.socket(socket.AF_UNIX) as calling:
        try:
            calling.connect(str(path))
        except PermissionError:
            return False
        return True


@contextmanager
def _as_user_of(spec: ServiceSpec) -> Iterator[None]:
    """Be the service's user for a while; only the effective ids are changed, so that there is a way back."""
    assert spec.identity is not None
    groups, gid = os.getgroups(), os.getegid()
    os.setgroups(spec.identity.groups)
    os.setegid(spec.identity.gid)
    os.seteuid(spec.identity.uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(gid)
        os.setgroups(groups)


def test_chainlinks_nodes_have_no_socket(given: PlanInput) -> None:
    """A node of Chainlink's program answers no gRPC, so no directory is made for a socket of it."""
    found = services_of(replace(given, is_root=True, runtimes=all_run("chainlink"), accounts=ACCOUNTS))
    nodes = [spec for spec in found if spec.name.startswith("chainlink-node")]
    assert 5 == len(nodes)
    assert {2} == {len(spec.identity.directories) for spec in nodes if spec.identity}


def test_the_keys_are_the_operators(services: dict[str, ServiceSpec], given: PlanInput) -> None:
    """The directory of all nodes' keys is given to the operator, which is let through the one above; to nobody else."""
    keys = given.secrets_dir.nodes
    owners = {name for name, spec in services.items() if spec.identity is not None and keys in spec.identity.owned}
    entering = {
        name: spec.identity.entered for name, spec in services.items() if spec.identity and spec.identity.entered
    }

    assert {"operator"} == owners
    assert {"operator": (given.secrets_dir.path,)} == entering


def test_without_accounts_all_are_one_user(given: PlanInput) -> None:
    """A host that has no accounts for the services runs them all as the supervisor's user."""
    assert {None} == {spec.identity for spec in services_of(given)}


def test_numbers_for_nodes_alone(given: PlanInput) -> None:
    """With numbers for the nodes only these have users of their own, whatever their runtime."""
    numbers = {name: (70_000, 70_000) for name in NAMES if name.startswith("chainlink-node")}
    for runtime in RUNTIMES:
        found = services_of(replace(given, is_root=True, runtimes=all_run(runtime), accounts=Accounts(numbers, None)))
        assert set(numbers) == {spec.name for spec in found if spec.identity is not None}
