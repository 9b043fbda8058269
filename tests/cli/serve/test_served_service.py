"""What is run for each service, and which tunnels it opens, decided from a configuration."""

import sys
from pathlib import Path

import pytest

from cli.errors import CliError, UsageError
from cli.serve.served_service import HttpQuestion, ServedService, service_of
from meshkit.mutual_tls.tunnel import Address, Incoming, Outgoing
from meshkit.paths import RunDir
from tests.cli.serve.spread_out import HOSTS, solution

ENVIRONMENT = {"PATH": "/usr/bin", "HOME": "/home", "ETH_URL": "x", "FEEDMESH_TLS_DIR": "/own"}


def found(directory: Path, kind: str, node: int | None = None, **mesh: object) -> ServedService:
    """Return what would run."""
    run_dir = RunDir(directory / "run")
    return service_of(kind, node, solution(directory, **mesh), directory / "c.json", run_dir, ENVIRONMENT)


def test_the_aggregator_takes_oracles_only(tmp_path: Path) -> None:
    """Its quotes are for the oracles and an admin, beyond loopback by TLS only; a bootstrap node asks for none."""
    service = found(tmp_path, "aggregator")
    roles = frozenset({"admin", "node/2", "node/3", "node/4", "node/5"})
    assert service.tunnels == (Incoming(Address("0.0.0.0", 3443), Address("127.0.0.1", 3000), roles),)
    assert service.question == HttpQuestion(3000, "/health")
    assert service.role == "aggregator"


def test_the_operator_finds_each_node_where_it_would_be_on_one_machine(tmp_path: Path) -> None:
    """For each node there is its usual port on loopback, which leads to its host and to nobody but it."""
    tunnels = found(tmp_path, "operator").tunnels
    expected = tuple(
        Outgoing(Address("127.0.0.1", 6600 + index), Address(host, 7600 + index), f"node/{index}")
        for index, host in enumerate(HOSTS, 1)
    )
    assert expected == tunnels


def test_a_node_finds_its_bridge_on_loopback(tmp_path: Path) -> None:
    """An oracle's bridge is where it is on one machine, and leads to the aggregator; the operator reaches its API."""
    service = found(tmp_path, "node", 3)
    requests, quotes = service.tunnels
    assert requests == Incoming(Address("0.0.0.0", 7603), Address("127.0.0.1", 6603), frozenset({"operator", "admin"}))
    assert quotes == Outgoing(Address("127.0.0.1", 3000), Address("aggregator.mesh.example", 3443), "aggregator")
    assert service.peers_at == Address(HOSTS[2], 9903)
    assert ("--grpc", "0.0.0.0:7703", "--tls-dir", "/own") == service.command[-4:]
    assert (requests.listen.port, 1) == (7603, len(found(tmp_path, "node", 1).tunnels))


def test_chainlinks_node_gets_no_variable_of_ours(tmp_path: Path) -> None:
    """Chainlink's node runs with the variables that it bears, the files of its number, and has no gRPC."""
    (tmp_path / "chainlink").touch(0o755)
    given = solution(tmp_path, runtime="chainlink")
    environment = ENVIRONMENT | {"PATH": str(tmp_path)}
    service = service_of("node", 2, given, tmp_path / "c.json", RunDir(tmp_path / "run"), environment)
    assert {"PATH", "HOME"} == set(service.environment)
    assert (str(tmp_path / "chainlink"), "node", "-config") == service.command[:3]
    assert len(service.tunnels) == 2
    with pytest.raises(CliError, match=r"solution\.mesh\.runtime: found 'chainlink'.* no chainlink on the PATH"):
        found(tmp_path, "node", 2, runtime="chainlink")


def test_each_node_runs_its_own_program(tmp_path: Path) -> None:
    """Of two nodes with a program each by number, one runs Chainlink's, the other ours, and who is not named, auto."""
    program = tmp_path / "chainlink"
    program.touch(0o755)
    environment = {"PATH": "/nowhere", "CHAINLINK_BIN": str(program)}
    given = solution(tmp_path, runtime={"2": "embedded", "3": "chainlink"})
    directory = RunDir(tmp_path / "run")
    first = [
        service_of("node", node, given, tmp_path / "c.json", directory, environment).command[0] for node in (2, 3, 4)
    ]
    assert [sys.executable, str(program), str(program)] == first
    without = {"PATH": "/nowhere"}
    with pytest.raises(CliError, match=r"solution\.mesh\.runtime\.3: found 'chainlink'"):
        service_of("node", 3, given, tmp_path / "c.json", directory, without)


@pytest.mark.parametrize(("kind", "node"), [("aggregator", None), ("operator", None), ("node", 2)])
def test_on_one_machine_there_are_no_tunnels(tmp_path: Path, kind: str, node: int | None) -> None:
    """A configuration without hosts runs the service with nothing that listens beyond loopback."""
    service = found(tmp_path, kind, node, network={})
    assert ((), None) == (service.tunnels, service.peers_at)
    assert "--grpc" not in service.command
    assert "ETH_URL" not in service.environment


@pytest.mark.parametrize(
    ("kind", "node", "said"),
    [
        ("metrics", None, "SERVICE: found 'metrics', allowed: aggregator, operator, node"),
        ("node", None, r"NUMBER: found none, allowed with node: 1 to 5 \(totalNodes\)"),
        ("node", 0, "NUMBER: found 0"),
        ("node", 6, "NUMBER: found 6"),
        ("operator", 2, "NUMBER: found 2, allowed with node only"),
    ],
)
def test_what_there_is_not(tmp_path: Path, kind: str, node: int | None, said: str) -> None:
    """A service or a number that there is not is refused with those that there are."""
    with pytest.raises(UsageError, match=said):
        found(tmp_path, kind, node)
