"""Who may call what over TCP, decided from the tables, and over real connections with real certificates."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2

from feedmesh.operator.v1 import operator_service_pb2 as pb
from feedmesh.operator.v1 import operator_service_pb2_grpc as pb_grpc
from meshkit.errors import InvalidInput
from meshkit.mutual_tls.certificates import CertificateDirectory
from meshkit.rpc.client import Remote, channel
from meshkit.rpc.permissions import ALLOWED, may_call
from meshkit.rpc.server import MeshServer, TcpListener
from tests.certificate_authority import Authority

NAME = "feedmesh.operator.v1.OperatorService"


class Operators(pb_grpc.OperatorServiceServicer):
    """A servicer with a verb that reads, one that changes, and a stream."""

    async def ListFeeds(self, request: pb.ListFeedsRequest, context: object) -> pb.ListFeedsResponse:
        return pb.ListFeedsResponse(feeds=[pb.Feed(name="BTC / USD")])

    async def Reconcile(self, request: pb.ReconcileRequest, context: object) -> pb.ReconcileResponse:
        return pb.ReconcileResponse()

    async def PrepareNodes(self, request: pb.PrepareNodesRequest, context: object) -> pb.PrepareNodesResponse:
        return pb.PrepareNodesResponse()

    async def ListNodes(self, request: pb.ListNodesRequest, context: object) -> pb.ListNodesResponse:
        return pb.ListNodesResponse()

    async def ListBalances(self, request: pb.ListBalancesRequest, context: object) -> pb.ListBalancesResponse:
        return pb.ListBalancesResponse()

    async def VerifyFeeds(self, request: pb.VerifyFeedsRequest, context: object) -> pb.VerifyFeedsResponse:
        return pb.VerifyFeedsResponse()

    async def ChangeFeeds(self, request: pb.ChangeFeedsRequest, context: object) -> pb.ChangeFeedsResponse:
        return pb.ChangeFeedsResponse()

    async def ListAnswers(self, request: pb.ListAnswersRequest, context: object) -> pb.ListAnswersResponse:
        return pb.ListAnswersResponse()

    async def ListJobs(self, request: pb.ListJobsRequest, context: object) -> pb.ListJobsResponse:
        return pb.ListJobsResponse()

    async def WatchRounds(
        self, request: pb.WatchRoundsRequest, context: object
    ) -> AsyncIterator[pb.WatchRoundsResponse]:
        yield pb.WatchRoundsResponse()


@pytest.fixture(name="authority", scope="module")
def _authority() -> Authority:
    return Authority()


@pytest.fixture(name="server")
async def _server(authority: Authority, run_dir: Path) -> AsyncIterator[MeshServer]:
    certificates = CertificateDirectory(authority.issue_role(run_dir / "own", "operator"))
    server = MeshServer("operator", run_dir / "operator.sock", tcp=TcpListener("127.0.0.1:0", certificates))
    server.add(pb_grpc.add_OperatorServiceServicer_to_server, Operators(), NAME)
    async with server:
        yield server


def _remote(authority: Authority, server: MeshServer, directory: Path, role: str) -> Remote:
    certificates = CertificateDirectory(authority.issue_role(directory / role, role))
    return Remote(f"127.0.0.1:{server.tcp_port}", certificates)


async def _health(connection: grpc.aio.Channel) -> health_pb2.HealthCheckResponse:
    check = connection.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )
    answer: health_pb2.HealthCheckResponse = await check(health_pb2.HealthCheckRequest(), timeout=20)
    return answer


def test_every_listed_method_exists() -> None:
    """The table names methods that our protos declare, so that a renamed one cannot stay open."""
    declared = set()
    for path in sorted(Path("protos").glob("feedmesh/*/v1/*.proto")):
        text = path.read_text()
        if found := re.search(r"^package (\S+);.*^service (\w+)", text, re.MULTILINE | re.DOTALL):
            declared |= {f"{found[1]}.{found[2]}/{verb}" for verb in re.findall(r"rpc (\w+)\(", text)}
    assert set() == set(ALLOWED) - declared


@pytest.mark.parametrize(
    ("role", "method", "allowed"),
    [
        ("node/2", "/feedmesh.aggregator.v1.QuoteService/BatchGetQuotes", True),
        ("node/2", "/feedmesh.aggregator.v1.QuoteService/ClearInactivePairs", False),
        ("node/2", "/feedmesh.operator.v1.OperatorService/ListFeeds", False),
        ("node/2", "/feedmesh.operator.v1.OperatorService/Reconcile", False),
        ("node/2", "/feedmesh.oracle.v1.OracleService/GetStatus", False),
        ("aggregator", "/feedmesh.operator.v1.OperatorService/ListFeeds", True),
        ("aggregator", "/feedmesh.operator.v1.OperatorService/PrepareNodes", False),
        ("operator", "/feedmesh.oracle.v1.OracleService/GetStatus", True),
        ("operator", "/feedmesh.supervisor.v1.SupervisorService/Shutdown", False),
        ("admin", "/feedmesh.operator.v1.OperatorService/Reconcile", True),
        ("node/2", "/grpc.health.v1.Health/Check", True),
        ("node/2", "/grpc.health.v1.HealthOther/Check", False),
        ("node/2", "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", False),
        (None, "/grpc.health.v1.Health/Check", False),
    ],
)
def test_roles(role: str | None, method: str, allowed: bool) -> None:
    """Each role may call what its work needs, an admin everything, nobody without a role anything."""
    assert allowed == may_call(role, method)


async def test_a_node_cannot_call_the_operators_verbs(authority: Authority, server: MeshServer, run_dir: Path) -> None:
    """With a node's certificate the operator's verbs and streams are refused by name; health is not."""
    async with channel(_remote(authority, server, run_dir, "node/2")) as connection:
        stub = pb_grpc.OperatorServiceStub(connection)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.Reconcile(pb.ReconcileRequest())
        assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
        assert refused.value.details() == f"/{NAME}/Reconcile: the certificate of node/2 may not call it"
        with pytest.raises(grpc.aio.AioRpcError, match="node/2 may not call it"):
            await anext(aiter(stub.WatchRounds(pb.WatchRoundsRequest())))
        health = await _health(connection)
        assert health.status == health_pb2.HealthCheckResponse.SERVING


async def test_the_aggregator_reads_feeds_and_an_admin_does_all(
    authority: Authority, server: MeshServer, run_dir: Path
) -> None:
    """The aggregator's certificate reads the feeds, an admin's reconciles, and the Unix socket needs none."""
    async with channel(_remote(authority, server, run_dir, "aggregator")) as connection:
        answer = await pb_grpc.OperatorServiceStub(connection).ListFeeds(pb.ListFeedsRequest())
        assert [feed.name for feed in answer.feeds] == ["BTC / USD"]
    for target in (_remote(authority, server, run_dir, "admin"), run_dir / "operator.sock"):
        async with channel(target) as connection:
            await pb_grpc.OperatorServiceStub(connection).Reconcile(pb.ReconcileRequest())


async def test_without_a_certificate_nothing_is_said(authority: Authority, server: MeshServer, run_dir: Path) -> None:
    """A client without a certificate, without TLS, or of another authority has no connection at all."""
    target = f"127.0.0.1:{server.tcp_port}"
    bare = grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(authority.pem))
    foreign = Authority().issue_role(run_dir / "foreign", "admin")
    (foreign / "ca.crt").write_bytes(authority.pem)
    stranger = channel(Remote(target, CertificateDirectory(foreign)))
    for opened in (bare, channel(target), stranger):
        async with opened:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await _health(opened)
            assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_renewed_certificate_needs_no_restart(authority: Authority, server: MeshServer, run_dir: Path) -> None:
    """A server whose files are replaced, by those of another authority even, answers the next client with them."""
    old = _remote(authority, server, run_dir, "admin")
    async with channel(old) as connection:
        await pb_grpc.OperatorServiceStub(connection).ListFeeds(pb.ListFeedsRequest())
    successor = Authority()
    successor.issue_role(run_dir / "own", "operator")
    async with channel(_remote(successor, server, run_dir / "new", "admin")) as connection:
        await pb_grpc.OperatorServiceStub(connection).ListFeeds(pb.ListFeedsRequest())
    async with channel(old) as connection:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await pb_grpc.OperatorServiceStub(connection).ListFeeds(pb.ListFeedsRequest())
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("address", ["0.0.0.0:7000", "10.1.2.3:7000", "[::]:7000", "mesh.example:7000"])
def test_beyond_loopback_without_certificates_is_refused(run_dir: Path, address: str) -> None:
    """A server that would listen beyond loopback without certificates does not even come to be."""
    with pytest.raises(InvalidInput, match="tlsDirectory") as refused:
        MeshServer("operator", run_dir / "operator.sock", tcp=TcpListener(address))
    assert refused.value.field == "tcp.address"
