"""
What `feedmesh serve` runs for each service: its command, its tunnels, the question that tells whether it is well.

    the operator's machine          a node's machine                              the aggregator's machine
    operator ─▶ 127.0.0.1:6602 ══▶ :7602 ─▶ 127.0.0.1:6602 node 2
                                            node 2 ─▶ 127.0.0.1:3000 ══▶ :3443 ─▶ 127.0.0.1:3000 price-aggregator

Double lines are tunnels of mutual TLS. Each service finds the others on loopback, as in a mesh on one machine; gRPC and
the nodes' peer-to-peer connections are TLS by themselves.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cli.errors import CliError, UsageError
from meshkit.configuration import node_program
from meshkit.configuration.solution import Solution
from meshkit.errors import InvalidInput
from meshkit.mutual_tls import peer_role
from meshkit.mutual_tls.tunnel import Address, Incoming, Outgoing
from meshkit.paths import DataDir, RunDir

_LOOPBACK: Final = "127.0.0.1"
_PASSED: Final = ("PATH", "HOME", "LANG", "TMPDIR", "FEEDMESH_TLS_DIR")
# A chainlink node refuses to start when one of 234 old variables is merely present.
_PASSED_TO_CHAINLINK: Final = ("PATH", "LANG", "TMPDIR")
# The longest shutdown a chainlink node is configured for is 15 s.
_CHAINLINK_GRACE_S: Final = 20.0
_GRACE_S: Final = 10.0

SERVICES: Final = ("aggregator", "operator", "node")


@dataclass(frozen=True, slots=True)
class HttpQuestion:
    """Hold a path on a port of loopback; 200 says that all is well."""

    port: int
    path: str


@dataclass(frozen=True, slots=True)
class GrpcQuestion:
    """Hold a socket whose health service says whether all is well."""

    socket: Path


@dataclass(frozen=True, slots=True)
class ServedService:
    """
    Hold one service that runs alone.

    Attributes:
        role: What its certificate must say.
        grace_s: How long it may take to stop.
        peers_at: For a node, the address that others are told to dial, by name perhaps; None on one machine.
    """

    name: str
    role: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    question: HttpQuestion | GrpcQuestion
    tunnels: tuple[Incoming | Outgoing, ...] = ()
    grace_s: float = _GRACE_S
    peers_at: Address | None = None


def service_of(
    kind: str, node: int | None, solution: Solution, config: Path, run_dir: RunDir, environment: Mapping[str, str]
) -> ServedService:
    """Return what is to run. Raises UsageError for a service that there is not."""
    if kind not in SERVICES:
        raise UsageError(f"SERVICE: found {kind!r}, allowed: {', '.join(SERVICES)}")
    if kind == "node":
        if node is None or not 1 <= node <= solution.total_nodes:
            found = "none" if node is None else str(node)
            raise UsageError(f"NUMBER: found {found}, allowed with node: 1 to {solution.total_nodes} (totalNodes)")
        return _node(node, solution, run_dir, environment)
    if node is not None:
        raise UsageError(f"NUMBER: found {node}, allowed with node only")
    ours = _pass(environment, _PASSED) | {
        "FEEDMESH_CONFIG": str(config),
        "FEEDMESH_RUN_DIR": str(run_dir.path),
        "PYTHONUNBUFFERED": "1",
    }
    return _aggregator(solution, ours) if kind == "aggregator" else _operator(solution, run_dir, ours)


def _aggregator(solution: Solution, environment: Mapping[str, str]) -> ServedService:
    network, port = solution.mesh.network, solution.price_aggregator_config.port
    oracles = range(solution.bootstrap_nodes + 1, solution.total_nodes + 1)
    tunnel = Incoming(
        Address(network.listen_address, network.ports.aggregator_https),
        Address(_LOOPBACK, port),
        frozenset({peer_role.ADMIN, *map(peer_role.node, oracles)}),
    )
    return ServedService(
        name="price-aggregator",
        role=peer_role.AGGREGATOR,
        command=(sys.executable, "-m", "services.aggregator"),
        environment=environment,
        question=HttpQuestion(port, "/health"),
        tunnels=(tunnel,) if network.is_spread_out else (),
    )


def _operator(solution: Solution, run_dir: RunDir, environment: Mapping[str, str]) -> ServedService:
    network, ports = solution.mesh.network, solution.mesh.ports
    tunnels = tuple(
        Outgoing(
            Address(_LOOPBACK, ports.node_api_base + index),
            Address(host, network.ports.node_api_base + index),
            peer_role.node(index),
        )
        for index, host in enumerate(network.node_hosts, 1)
    )
    return ServedService(
        name="operator",
        role=peer_role.OPERATOR,
        command=(sys.executable, "-m", "services.operator"),
        environment=environment,
        question=GrpcQuestion(run_dir.socket("operator")),
        tunnels=tunnels,
    )


def _node(index: int, solution: Solution, run_dir: RunDir, environment: Mapping[str, str]) -> ServedService:
    network, data = solution.mesh.network, DataDir(solution.mesh.data_dir.absolute())
    name, role = f"chainlink-node-{index}", peer_role.node(index)
    config = str(run_dir.own(name) / "config.toml")
    secrets, api = (str(data.node(index) / file) for file in ("secrets.toml", "apicredentials"))
    api_port = solution.mesh.ports.node_api_base + index
    chainlink = _chainlink(index, solution, environment)
    command: tuple[str, ...]
    if chainlink is not None:
        command = (chainlink, "node", "-config", config, "-secrets", secrets, "start", "-a", api)
        passed = _pass(environment, _PASSED_TO_CHAINLINK) | {"HOME": str(data.node_home(index))}
    else:
        command = (
            *(sys.executable, "-m", "services.oracle", "node", "--config", config, "--secrets", secrets, "--api", api),
            *("--run-dir", str(run_dir.path), "--name", name),
            *(("--manual-job-runs",) if solution.mesh.manual_job_runs else ()),
            *(("--egress", ",".join(solution.mesh.egress)) if solution.mesh.egress is not None else ()),
        )
        passed = _pass(environment, _PASSED) | {"PYTHONUNBUFFERED": "1"}
        if network.is_spread_out:
            grpc = Address(network.listen_address, network.ports.node_grpc_base + index)
            command = (*command, "--grpc", str(grpc), "--tls-dir", str(network.certificates_in(environment)))
    host = network.node_hosts[index - 1] if network.is_spread_out else ""
    return ServedService(
        name=name,
        role=role,
        command=command,
        environment=passed,
        question=HttpQuestion(api_port, "/readyz"),
        tunnels=_node_tunnels(index, solution, api_port) if network.is_spread_out else (),
        grace_s=_CHAINLINK_GRACE_S if chainlink is not None else _GRACE_S,
        peers_at=Address(host, solution.mesh.ports.node_p2p_base + index) if host else None,
    )


def _node_tunnels(index: int, solution: Solution, api_port: int) -> tuple[Incoming | Outgoing, ...]:
    network = solution.mesh.network
    requests = Incoming(
        Address(network.listen_address, network.ports.node_api_base + index),
        Address(_LOOPBACK, api_port),
        frozenset({peer_role.OPERATOR, peer_role.ADMIN}),
    )
    if index <= solution.bootstrap_nodes:  # it asks for no price
        return (requests,)
    assert network.aggregator_host is not None
    quotes = Outgoing(
        Address(_LOOPBACK, solution.price_aggregator_config.port),
        Address(network.aggregator_host, network.ports.aggregator_https),
        peer_role.AGGREGATOR,
    )
    return (requests, quotes)


def _chainlink(index: int, solution: Solution, environment: Mapping[str, str]) -> str | None:
    """Return the path of Chainlink's program if the node is to run it."""
    setting = solution.mesh.runtime
    try:
        program = node_program.chainlink_program(setting, environment)
        return program if node_program.node_runtime(setting, index, program) == "chainlink" else None
    except InvalidInput as error:
        raise CliError(str(error)) from None


def _pass(environment: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    return {name: environment[name] for name in names if name in environment}
