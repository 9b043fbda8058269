"""Pairs of TLS streams over a real socket on loopback."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from OpenSSL import SSL

from services.oracle.p2p.identity import PeerKey
from services.oracle.p2p.transport.tls import TlsStream, close_socket, make_context
from tests.oracle.ocr.committee import secret_of

DIALER = PeerKey.from_bytes(secret_of("dialer", 0))
LISTENER = PeerKey.from_bytes(secret_of("listener", 0))
STRANGER = PeerKey.from_bytes(secret_of("stranger", 0))
Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def sockets() -> AsyncIterator[tuple[Ends, Ends]]:
    """Give the streams of the end that connected, and those of the end that accepted."""
    accepted: asyncio.Future[Ends] = asyncio.get_running_loop().create_future()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.set_result((reader, writer))

    async with AsyncExitStack() as stack:
        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        stack.callback(server.close)
        host, port = server.sockets[0].getsockname()
        reader, writer = await asyncio.open_connection(host, port)
        stack.push_async_callback(close_socket, writer)
        other = await accepted
        stack.push_async_callback(close_socket, other[1])
        yield (reader, writer), other


@asynccontextmanager
async def unshaken(dialer: SSL.Context, listener: SSL.Context) -> AsyncIterator[tuple[TlsStream, TlsStream]]:
    """Give a dialer's and a listener's stream that have not shaken hands yet."""
    async with sockets() as (one, other):
        yield TlsStream(dialer, *one, server=False), TlsStream(listener, *other, server=True)


@asynccontextmanager
async def shaken() -> AsyncIterator[tuple[TlsStream, TlsStream]]:
    """Give a dialer's and a listener's stream that have shaken hands."""
    async with unshaken(make_context(DIALER), make_context(LISTENER)) as (dialer, listener):
        await asyncio.gather(dialer.handshake(LISTENER.public_key), listener.handshake(DIALER.public_key))
        yield dialer, listener
