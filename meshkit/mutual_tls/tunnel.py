"""
Carry TCP connections that know nothing of TLS between two services, by mutual TLS.

    client ──▶ 127.0.0.1:3000 ── Outgoing ══ mutual TLS ══▶ Incoming ──▶ 127.0.0.1:3000 ── server

So a program that can present no certificate, as Chainlink's own node cannot to its bridges, still meets none but whom
it should. Both ends look at the role in the other's certificate; the outgoing end also at the host name. Bytes are
carried as they are. When one side ends, the other is closed once it has taken what was sent before.
"""

import asyncio
import socket
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import Collection
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from meshkit.errors import FailedPrecondition
from meshkit.log import get_logger
from meshkit.mutual_tls.certificates import CertificateDirectory
from meshkit.mutual_tls.peer_role import role_of_connection

_CONNECT_S: Final = 5.0
_HANDSHAKE_S: Final = 10.0
_REST_S: Final = 1.0
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
        self._sockets: list[socket.socket] = []
        self._accepting: list[asyncio.Task[None]] = []
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        try:
            for tunnel in self._tunnels:
                self._sockets.append(_listen(tunnel.listen))
        except BaseException:
            await self._close()
            raise
        for tunnel, listening in zip(self._tunnels, self._sockets, strict=True):
            self._accepting.append(asyncio.create_task(self._accept_all(tunnel, listening)))
            _log.info("tunnel_open", listen=str(tunnel.listen), to=str(tunnel.to))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        for task in (*self._accepting, *self._connections):
            task.cancel()
        await asyncio.gather(*self._accepting, *self._connections, return_exceptions=True)
        for listening in self._sockets:
            listening.close()

    async def _accept_all(self, tunnel: Incoming | Outgoing, listening: socket.socket) -> None:
        while True:
            try:
                accepted, _ = await asyncio.get_running_loop().sock_accept(listening)
            except OSError as error:  # too many open files, mostly
                _log.warning("tunnel_accepts_nobody", listen=str(tunnel.listen), problem=_said(error))
                await asyncio.sleep(_REST_S)
                continue
            if len(self._connections) >= _MOST_CONNECTIONS:
                accepted.close()
                continue
            task = asyncio.create_task(self._carry(tunnel, accepted))
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)

    async def _carry(self, tunnel: Incoming | Outgoing, accepted: socket.socket) -> None:
        writers: list[StreamWriter] = []
        try:
            reader, writer = await self._open(tunnel, accepted)
            writers.append(writer)
            other_reader, other = await (
                self._onward(tunnel, writer) if isinstance(tunnel, Incoming) else self._dial(tunnel)
            )
            writers.append(other)
            await _join(reader, writer, other_reader, other)
        except _Refused as error:
            _log.warning("tunnel_refused", listen=str(tunnel.listen), to=str(tunnel.to), problem=str(error))
        except (OSError, TimeoutError) as error:  # errors of TLS are OSErrors too
            _log.info("tunnel_broken", listen=str(tunnel.listen), to=str(tunnel.to), problem=_said(error))
        finally:
            for end in writers:
                end.transport.abort()
            if not writers:
                accepted.close()

    async def _open(self, tunnel: Incoming | Outgoing, accepted: socket.socket) -> tuple[StreamReader, StreamWriter]:
        """Begin to speak with whoever has connected, by TLS if that is what comes in."""
        loop = asyncio.get_running_loop()
        reader = StreamReader(loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        if isinstance(tunnel, Incoming):
            transport, _ = await loop.connect_accepted_socket(
                lambda: protocol,
                accepted,
                ssl=self._certificates.accepting_context(),
                ssl_handshake_timeout=_HANDSHAKE_S,
            )
        else:
            transport, _ = await loop.connect_accepted_socket(lambda: protocol, accepted)
        return reader, StreamWriter(transport, protocol, reader, loop)

    async def _onward(self, tunnel: Incoming, writer: StreamWriter) -> tuple[StreamReader, StreamWriter]:
        """Look who has connected, and open the connection to go on with."""
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


def _listen(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        listening = socket.create_server((address.host, address.port), family=family)
    except OSError as error:
        raise FailedPrecondition(f"cannot listen on {address}: {error.strerror or error}") from error
    listening.setblocking(False)
    return listening


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
