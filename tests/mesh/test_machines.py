"""A mesh on machines of its own, by mutual TLS: rounds, a node cut off and brought back, and what is refused."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import grpc.aio
import pytest

from feedmesh.operator.v1 import operator_service_pb2 as pb
from feedmesh.operator.v1 import operator_service_pb2_grpc as pb_grpc
from meshkit.rpc.client import channel
from tests.mesh.machines import FEED, NODES, REST, Machines, machines, missing

pytestmark = [pytest.mark.campaign, pytest.mark.skipif(bool(missing()), reason=missing())]

_START_S, _CUT_S = 240, 120

# Run on a machine, with its certificate: what another service says to it.
_CALL = """
import asyncio, pathlib, sys
import grpc
from feedmesh.operator.v1 import operator_service_pb2 as pb, operator_service_pb2_grpc as pb_grpc
from meshkit.mutual_tls.certificates import CertificateDirectory
from meshkit.rpc.client import Remote, channel

async def main():
    directory, address = sys.argv[1:]
    async with channel(Remote(address, CertificateDirectory(pathlib.Path(directory)))) as opened:
        try:
            await pb_grpc.OperatorServiceStub(opened).Reconcile(pb.ReconcileRequest())
        except grpc.aio.AioRpcError as error:
            print(error.code().name, error.details())

asyncio.run(main())
"""
_CONNECT = """
import socket, ssl, sys
directory, host, port = sys.argv[1:]
context = ssl.create_default_context(cafile=directory + "/ca.crt")
try:
    with context.wrap_socket(socket.create_connection((host, int(port)), timeout=20), server_hostname=host) as opened:
        opened.sendall(b"GET /quotes/batch HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n")
        print(opened.recv(100))
except (ssl.SSLError, ConnectionError) as error:
    print("refused", error)
"""


@pytest.fixture(name="mesh", scope="module")
def _mesh() -> Iterator[Machines]:
    with machines() as made:
        try:
            made.set_up()
            yield made
        finally:
            sys.stderr.write(made.said())  # pytest shows it where a test has failed


async def _next_round(watch: "grpc.aio.UnaryStreamCall[pb.WatchRoundsRequest, pb.WatchRoundsResponse]") -> pb.Round:
    answer = await watch.read()
    assert isinstance(answer, pb.WatchRoundsResponse)
    return answer.round


async def test_rounds_go_on_without_a_node_and_with_it_again(mesh: Machines) -> None:
    """Every oracle takes part; with one cut off the others go on; brought back it takes part again, by itself."""
    operator = mesh.run_dir("operator").socket("operator")
    async with asyncio.timeout(_START_S):
        while not operator.exists():
            assert [] == [name for name, process in mesh.processes.items() if process.poll() is not None]
            await asyncio.sleep(0.2)
        async with channel(operator) as connection:
            watch = pb_grpc.OperatorServiceStub(connection).WatchRounds(
                pb.WatchRoundsRequest(feeds=[FEED]), wait_for_ready=True
            )
            seen: set[str] = set()
            oracles = {f"chainlink-node-{index}" for index in NODES if index > 1}
            while seen != oracles:
                seen |= set((await _next_round(watch)).observers)
            mesh.cut(3)
            # What was on its way when the cable came out may still arrive.
            without = 0
            while without < 3:
                observers = (await _next_round(watch)).observers
                without = 0 if "chainlink-node-3" in observers else without + 1
            mesh.join(3)
            async with asyncio.timeout(_CUT_S):
                while "chainlink-node-3" not in (await _next_round(watch)).observers:
                    pass
    assert [] == [name for name, process in mesh.processes.items() if process.poll() is not None]


def test_a_nodes_certificate_is_no_operators(mesh: Machines) -> None:
    """From a node's machine with the node's certificate the operator's verbs are refused, and say who asked."""
    command = (sys.executable, "-c", _CALL, str(mesh.certificates["node/2"]), f"{REST}:7002")
    ran = subprocess.run(mesh.nodes[2].within(*command), capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.startswith("PERMISSION_DENIED")
    assert "the certificate of node/2 may not call it" in ran.stdout


def test_without_a_certificate_there_is_no_price(mesh: Machines) -> None:
    """From a node's machine without a certificate the aggregator gives no answer, and over TCP alone neither."""
    command = (sys.executable, "-c", _CONNECT, str(mesh.certificates["node/2"]), REST, "3443")
    ran = subprocess.run(mesh.nodes[2].within(*command), capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.startswith("refused") or ran.stdout.strip() == "b''"


def test_beyond_loopback_only_tls_listens(mesh: Machines) -> None:
    """A node's machine listens beyond loopback for REST and gRPC by mutual TLS and for its peers, and that is all."""
    for index, machine in mesh.nodes.items():
        assert {7600 + index, 7700 + index, 9900 + index} == machine.ports_outside()
    # The last two are not the mesh's: a PostgreSQL server and a chain, as they are elsewhere.
    assert {3443, 7001, 7002, 5432, 8545} == mesh.rest.ports_outside()


def test_every_machine_is_well_for_its_probe(mesh: Machines) -> None:
    """What a probe runs says of each service that it is well."""
    for name in ("aggregator", "operator", *(f"node-{index}" for index in NODES)):
        ran = subprocess.run(
            [sys.executable, "-m", "cli.health"],
            env={"FEEDMESH_RUN_DIR": str(mesh.run_dir(name).path), "PYTHONPATH": str(Path.cwd())},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (0, True) == (ran.returncode, ran.stdout.strip().endswith("is well")), (name, ran.stdout)
