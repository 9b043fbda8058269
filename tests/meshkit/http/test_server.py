"""What a server does with connections that are too many, and with clients that do not read."""

import asyncio
import socket

from aiohttp import web

from meshkit.http.limits import HttpLimits
from meshkit.http.server import listen
from tests.waiting import until

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LARGE_BYTES = 30_000_000


async def test_who_waits_yields_and_who_is_answered_does_not() -> None:
    """With room for two: the silent ones make room, and while both are being answered a third is told to come again."""
    go, running = asyncio.Event(), 0

    async def answer(_request: web.Request) -> web.Response:
        nonlocal running
        running += 1
        await go.wait()
        return web.Response(text="x")

    app = web.Application()
    app.router.add_get("/", answer)
    async with await listen(app, "127.0.0.1", 0, limits=HttpLimits(connections=2)) as server:
        silent, first, second, third = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(4)]
        for reader, _ in (silent, first):
            assert b"" == await asyncio.wait_for(reader.read(), 10)
        for _, writer in (second, third):
            writer.write(REQUEST)
        await until(lambda: running == 2)
        late = await asyncio.open_connection("127.0.0.1", server.port)
        said = await asyncio.wait_for(late[0].read(), 10)
        go.set()

        assert said.startswith(b"HTTP/1.1 503 ")
        for reader, _ in (second, third):
            assert (await asyncio.wait_for(reader.readuntil(b"\r\n"), 10)).startswith(b"HTTP/1.1 200 ")
        for _, writer in (silent, first, second, third, late):
            writer.close()


async def test_who_does_not_read_is_cut_off() -> None:
    """An answer that nobody takes holds its connection for the idle time at most."""
    app = web.Application()

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=b"x" * LARGE_BYTES)

    app.router.add_get("/", answer)
    async with await listen(app, "127.0.0.1", 0, limits=HttpLimits(idle_s=0.2)) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as unread:
            unread.sendall(REQUEST)
            await until(lambda: bool(server.connections.open))
            await until(lambda: not server.connections.open)


async def test_a_kept_connection_is_not_cut_off_early() -> None:
    """After requests with and without a body a connection may be idle for its whole time, not for a head's."""
    app = web.Application()

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    app.router.add_route("*", "/", answer)
    limits = HttpLimits(head_s=0.1, idle_s=60)
    async with await listen(app, "127.0.0.1", 0, limits=limits) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for body in (b"", b"{}", b"whole"):
            head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)
            writer.write(head + body)
            answered = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
            assert answered.startswith(b"HTTP/1.1 200 ")
            assert body == await asyncio.wait_for(reader.readexactly(len(body)), 10)
            await asyncio.sleep(0.3)
        writer.close()
