"""
Carry TCP connections that know nothing of TLS between two services, by mutual TLS.

    client ──▶ 127.0.0.1:3000 ── Outgoing ══ mutual TLS ══▶ Incoming ──▶ 127.0.0.1:3000 ── server

So a program that can present no certificate, as Chainlink's own node cannot to its bridges, still meets none but whom
it should. Both ends look at the role in the other's certificate; the outgoing end also at the host name. Bytes are
carried as they are. When one side ends, the other is closed once it has taken what was sent before.
"""

import asyncio
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import Collection
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self, cast

from meshkit.errors import FailedPrecondition
from meshkit.log import get_logger
from meshkit.mutual_tls.certificates import CertificateDirectory
from meshkit.mutual_tls.peer_role import role_of_connection

_CONNECT_S: Final = 5.0
_HANDSHAKE_S: Final = 10.0
_BLOCK_BYTES: Final = 65_536
_MOST_CONNECTIONS: Final = 512

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Address:
    """Hold a host and a TCP port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Incoming:
    """Hold where to listen for TLS, whose connections to take by role, and the loopback address they go on to."""

    listen: Address
    to: Address
    allowed: frozenset[str]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Hold the loopback address to listen at, where its connections go on to by TLS, and the role expected there."""

    listen: Address
    to: Address
    role: str


class Tunnels:
    """
    Hold tunnels open while the context lasts.

    Raises FailedPrecondition when an address cannot be listened at; then none is open.
    """

    def __init__(self, certificates: CertificateDirectory, tunnels: tuple[Incoming | Outgoing, ...]) -> None:
        self._certificates = certificates
        self._tunnels = tunnels
        self._servers: list[asyncio.Server] = []
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        try:
            for tunnel in self._tunnels:
                self._servers.append(await self._listen(tunnel))
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _listen(self, tunnel: Incoming | Outgoing) -> asyncio.Server:
        def connected(reader: StreamReader, writer: StreamWriter) -> None:
            if len(self._connections) >= _MOST_CONNECTIONS:
                writer.transport.abort()
                return
            if isinstance(tunnel, Incoming):
                # The client speaks first, and TLS has to be there when it does.
                cast(asyncio.ReadTransport, writer.transport).pause_reading()
            task = asyncio.create_task(self._carry(tunnel, reader, writer))
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)

        try:
            server = await asyncio.start_server(connected, tunnel.listen.host, tunnel.listen.port)
        except OSError as error:
            raise FailedPrecondition(f"cannot listen on {tunnel.listen}: {error.strerror or error}") from error
        _log.info("tunnel_open", listen=str(tunnel.listen), to=str(tunnel.to))
        return server

    async def _carry(self, tunnel: Incoming | Outgoing, reader: StreamReader, writer: StreamWriter) -> None:
        other: StreamWriter | None = None
        try:
            if isinstance(tunnel, Incoming):
                other_reader, other = await self._accept(tunnel, writer)
            else:
                other_reader, other = await self._dial(tunnel)
            await _join(reader, writer, other_reader, other)
        except _Refused as error:
            _log.warning("tunnel_refused", listen=str(tunnel.listen), to=str(tunnel.to), problem=str(error))
        except (OSError, TimeoutError) as error:  # errors of TLS are OSErrors too
            _log.info("tunnel_broken", listen=str(tunnel.listen), to=str(tunnel.to), problem=_said(error))
        finally:
            for end in (writer, other):
                if end is not None:
                    end.transport.abort()

    async def _accept(self, tunnel: Incoming, writer: StreamWriter) -> tuple[StreamReader, StreamWriter]:
        """Begin TLS with whoever has connected, and open the connection to go on with."""
        context = self._certificates.accepting_context()
        await writer.start_tls(context, ssl_handshake_timeout=_HANDSHAKE_S)
        role = role_of_connection(writer.get_extra_info("peercert"))
        if role not in tunnel.allowed:
            raise _Refused(f"{writer.get_extra_info('peername')[0]} is {role or 'nobody of this mesh'}", tunnel.allowed)
        async with asyncio.timeout(_CONNECT_S):
            return await asyncio.open_connection(tunnel.to.host, tunnel.to.port)

    async def _dial(self, tunnel: Outgoing) -> tuple[StreamReader, StreamWriter]:
        """Open the TLS connection and look who is there."""
        context = self._certificates.dialling_context()
        async with asyncio.timeout(_CONNECT_S + _HANDSHAKE_S):
            reader, writer = await asyncio.open_connection(tunnel.to.host, tunnel.to.port, ssl=context)
        role = role_of_connection(writer.get_extra_info("peercert"))
        if role != tunnel.role:
            writer.transport.abort()
            raise _Refused(f"{tunnel.to} is {role or 'nobody of this mesh'}", {tunnel.role})
        return reader, writer


class _Refused(Exception):
    """A peer's certificate is good, but not of a role that is expected."""

    def __init__(self, who: str, allowed: Collection[str]) -> None:
        super().__init__(f"{who}; allowed: {', '.join(sorted(allowed))}")


async def _join(reader: StreamReader, writer: StreamWriter, other: StreamReader, to: StreamWriter) -> None:
    """Copy both ways until one side ends, and let the other take what it is still owed."""
    forth = asyncio.create_task(_copy(reader, to))
    back = asyncio.create_task(_copy(other, writer))
    try:
        done, _ = await asyncio.wait({forth, back}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            await task
    finally:
        for task in (forth, back):
            task.cancel()
        await asyncio.gather(forth, back, return_exceptions=True)


async def _copy(source: StreamReader, target: StreamWriter) -> None:
    while block := await source.read(_BLOCK_BYTES):
        target.write(block)
        await target.drain()
    # What is in the buffer is sent before the end is; an abort after that loses nothing.
    target.close()
    async with asyncio.timeout(_CONNECT_S):
        await target.wait_closed()


def _said(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is refused: {error.verify_message}"
    return str(error) or type(error).__name__
