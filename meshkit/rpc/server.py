"""A gRPC server as every process of the mesh has one: Unix socket, mutual TLS, health, reflection, graceful drain."""

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from feedmesh.metrics.v1 import metrics_page_service_pb2_grpc
from meshkit.errors import FailedPrecondition, InvalidInput
from meshkit.log import get_logger
from meshkit.metrics import RPC_METRICS, Registry
from meshkit.paths import LONGEST_SOCKET_PATH
from meshkit.rpc import metrics_page
from meshkit.rpc.interceptors import CallInterceptor
from meshkit.rpc.message_limit import MESSAGE_LIMIT_BYTES

if TYPE_CHECKING:
    # Few processes have certificates, and what reads them takes 10 MB.
    from meshkit.mutual_tls.certificates import CertificateDirectory

# The health name under which a server says whether its process still does its work; one that does not is restarted.
LIVENESS = "liveness"
# A client speaks at once; who has not after this long holds a connection for nothing.
HANDSHAKE_LIMIT_MS = 10_000
# A client whose connection was closed for its silence makes another when it needs one. A stream is not silence.
IDLE_LIMIT_MS = 300_000
OPTIONS: tuple[tuple[str, int], ...] = (
    # Without it two servers may share a TCP port and steal each other's calls.
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MESSAGE_LIMIT_BYTES),
    ("grpc.max_concurrent_streams", 1024),
    ("grpc.server_handshake_timeout_ms", HANDSHAKE_LIMIT_MS),
    ("grpc.max_connection_idle_ms", IDLE_LIMIT_MS),
)
_LOOPBACK = ("127.0.0.1:", "localhost:", "[::1]:")

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TcpListener:
    """Hold an address such as `127.0.0.1:7000`, and the certificates without which only loopback is allowed."""

    address: str
    certificates: "CertificateDirectory | None" = None


class MeshServer:
    """
    One process's gRPC server.

    Health, reflection and the page of metrics come by themselves. A service that is not ready yet starts with
    `serving=False` and calls `set_serving` later. With `tcp` it also listens there: on loopback, or anywhere for
    peers with certificates of the same authority, who may call what `meshkit/rpc/permissions.py` says. `channelz`
    exposes the traffic of all channels, so it is off unless asked for.
    """

    def __init__(
        self,
        service: str,
        socket: Path,
        *,
        tcp: TcpListener | None = None,
        channelz: bool = False,
        registry: Registry | None = None,
        drain_s: float = 3.0,
    ) -> None:
        if len(os.fsencode(socket)) > LONGEST_SOCKET_PATH:
            raise InvalidInput("socket", str(socket), f"a path of at most {LONGEST_SOCKET_PATH} bytes")
        if tcp is not None and tcp.certificates is None and not tcp.address.startswith(_LOOPBACK):
            raise InvalidInput(
                "tcp.address",
                tcp.address,
                "a loopback address such as 127.0.0.1:7000, or certificates (solution.mesh.network.tlsDirectory)",
            )
        self._name = service
        # Where services have users of their own, the well-known path is a link into a directory that is ours.
        self._socket = Path(os.path.realpath(socket))
        self._tcp = tcp
        self.tcp_port = 0
        self._drain_s = drain_s
        self._health = health.aio.HealthServicer()
        self._names: list[str] = []
        registry = registry or Registry(RPC_METRICS)
        self._interceptor = CallInterceptor(registry)
        self._server = grpc.aio.server(interceptors=[self._interceptor], options=list(OPTIONS))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        page = metrics_page.MetricsPageService(registry)
        metrics_page_service_pb2_grpc.add_MetricsPageServiceServicer_to_server(page, self._server)
        if channelz:
            from grpc_channelz.v1 import channelz as channelz_service

            channelz_service.add_channelz_servicer(self._server)

    def add(self, register: Callable[[Any, grpc.aio.Server], None], servicer: object, name: str) -> None:
        """Register a servicer by its generated `add_…_to_server` function under its full service name."""
        register(servicer, self._server)
        self._names.append(name)

    async def set_serving(self, name: str, serving: bool) -> None:
        """Set the health of one service name; the empty name is the server as a whole."""
        status = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        await self._health.set(name, status)

    async def set_alive(self, alive: bool) -> None:
        """Say whether the process still does its work: if not, nothing of it serves, and it wants to be restarted."""
        for name in ("", *self._names, LIVENESS):
            await self.set_serving(name, alive)

    async def start(self, *, serving: bool = True) -> None:
        """
        Bind and begin to answer; `serving` is the health of all added services.

        Raises FailedPrecondition if the address cannot be bound.
        """
        described = [*self._names, metrics_page.NAME, health.SERVICE_NAME, reflection.SERVICE_NAME]
        reflection.enable_server_reflection(described, self._server)
        self._socket.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        # A killed predecessor leaves its socket behind. The supervisor starts one process of a name at a time.
        self._socket.unlink(missing_ok=True)
        self._listen(f"unix:{self._socket}", None)
        if self._tcp is not None:
            self.tcp_port = self._listen(self._tcp.address, self._tcp.certificates)
        for name in ("", *self._names):
            await self.set_serving(name, serving)
        await self.set_serving(LIVENESS, True)
        await self._server.start()
        self._socket.chmod(0o660)
        _log.info("listening", socket=str(self._socket), services=self._names)

    def _listen(self, address: str, certificates: "CertificateDirectory | None") -> int:
        try:
            if certificates is None:
                return self._server.add_insecure_port(address)
            return self._server.add_secure_port(address, certificates.server_credentials())
        except RuntimeError as error:
            raise FailedPrecondition(f"cannot listen on {address}: {error}") from error

    async def stop(self) -> None:
        """Announce NOT_SERVING, end streams, let other running calls end within the drain time, then close."""
        await self._health.enter_graceful_shutdown()
        self._interceptor.end_streams()
        await self._server.stop(self._drain_s)
        self._socket.unlink(missing_ok=True)

    async def serve_until_signal(self) -> None:
        """Answer until SIGTERM or SIGINT, then drain; a second signal ends the drain at once."""
        loop = asyncio.get_running_loop()
        first, second = asyncio.Event(), asyncio.Event()

        def on_signal() -> None:
            (second if first.is_set() else first).set()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, on_signal)
        await first.wait()
        _log.info("stopping")
        drain = asyncio.create_task(self.stop())
        hurry = asyncio.create_task(second.wait())
        await asyncio.wait({drain, hurry}, return_when=asyncio.FIRST_COMPLETED)
        if not drain.done():
            await self._server.stop(None)
        await drain
        hurry.cancel()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()
