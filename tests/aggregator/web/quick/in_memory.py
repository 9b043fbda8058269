"""A server whose connections have no socket: what a client sends is handed over, what it hears is noted."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from meshkit.http.server import HttpServer
from services.aggregator.web.routes import HttpApi
from services.aggregator.web.server import listen
from tests.aggregator.bench import Bench

# Nothing is waited for outside the process, so an answer is there after some turns of the loop, or never.
_TURNS = 60


class Transport(asyncio.Transport):
    """Note what is written."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.heard = b""
        self.is_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Note the bytes."""
        self.heard += bytes(data)

    def is_closing(self) -> bool:
        """Tell whether the connection was closed."""
        return self.is_closed

    def close(self) -> None:
        """Close the connection."""
        self.is_closed = True

    def abort(self) -> None:
        """Close the connection."""
        self.is_closed = True

    def get_write_buffer_size(self) -> int:
        """Return 0: everything is taken at once."""
        return 0

    def pause_reading(self) -> None:
        """Do nothing: there is nothing more to read."""

    def resume_reading(self) -> None:
        """Do nothing."""


class InMemoryServer:
    """The HTTP side of an engine; with the quick way before it, or without."""

    def __init__(self, connect: Callable[[], asyncio.Protocol]) -> None:
        self._connect = connect

    async def answer(self, *pieces: bytes) -> tuple[bytes, bool, bool]:
        """Return what a new connection hears, whether it was ended, and whether aiohttp has got it."""
        connection: Any = self._connect()
        transport = Transport()
        connection.connection_made(transport)
        for piece in pieces:
            if not transport.is_closed:
                connection.data_received(piece)
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        heard, is_closed, is_slow = transport.heard, transport.is_closed, connection.handler is not None
        connection.connection_lost(None)
        await asyncio.sleep(0)
        return heard, is_closed, is_slow


@asynccontextmanager
async def in_memory(bench: Bench, *, quick: bool) -> AsyncIterator[InMemoryServer]:
    """Give a server until the context ends; it listens, but nobody comes by its socket."""
    api = HttpApi(bench.engine, bench.clock, bench.metrics)
    async with connected(lambda: listen(api.build(), 0, api.fast_answers() if quick else None)) as connect:
        yield InMemoryServer(connect)


@asynccontextmanager
async def connected(
    begin: Callable[[], Awaitable[HttpServer]],
) -> AsyncIterator[Callable[[], asyncio.Protocol]]:
    """Give what makes the protocol of a connection to the server that `begin` starts and the context ends."""
    loop = asyncio.get_running_loop()
    made: list[Callable[[], asyncio.Protocol]] = []
    create_server = loop.create_server

    async def noting(factory: Callable[[], asyncio.Protocol], *arguments: Any) -> Any:
        made.append(factory)
        return await create_server(factory, *arguments)

    loop.create_server = noting  # type: ignore[method-assign, assignment]
    try:
        listening = await begin()
    finally:
        loop.create_server = create_server  # type: ignore[method-assign]
    try:
        yield made[0]
    finally:
        await listening.close()
