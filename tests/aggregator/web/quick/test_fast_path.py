"""The quick way in, over real sockets: what it answers itself, what it leaves to aiohttp, and when it hangs up."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from meshkit.clock import SystemClock
from meshkit.http.connection import LONGEST_HEAD_BYTES
from meshkit.http.limits import HttpLimits
from meshkit.http.server import HttpServer
from services.aggregator.web.quick import fast_path
from services.aggregator.web.quick.fast_path import LONGEST_REQUEST_BYTES, FastAnswers, target_of
from services.aggregator.web.server import listen
from tests.waiting import until

HOST = b"Host: 127.0.0.1\r\n"
QUICK = b"GET /quick HTTP/1.1\r\n" + HOST + b"\r\n"
LARGE = b"GET /large HTTP/1.1\r\n" + HOST + b"\r\n"
LARGE_BYTES = 200_000


class Client:
    """A client that writes what it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def say(self, *pieces: bytes) -> None:
        """Send each piece by itself."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0)

    async def hear(self) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of the next answer."""
        head = (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 10)).decode()
        lines = head.split("\r\n")
        headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)
        }
        body = await asyncio.wait_for(self.reader.readexactly(int(headers["content-length"])), 10)
        return int(lines[0].split(" ")[1]), headers, body

    async def ended(self) -> bool:
        """Tell whether the server has hung up; wait for it."""
        try:
            return await asyncio.wait_for(self.reader.read(1), 10) == b""
        except ConnectionResetError:
            return True


class Served:
    """A small application with a quick way before it; `kept` is what the quick way has."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {"/quick": b'"quick"', "/large": b"x" * LARGE_BYTES}
        self.found: list[str] = []
        self.server: HttpServer
        self.answers = FastAnswers(lambda target: self.find(target), SystemClock())
        self.clients: list[Client] = []

    async def open(self) -> Client:
        """Connect."""
        client = Client(*await asyncio.open_connection("127.0.0.1", self.server.port, limit=2**20))
        self.clients.append(client)
        return client

    def find(self, target: str) -> fast_path.FastAnswer | None:
        """Return what answers a target."""
        self.found.append(target)
        return (lambda: self.kept.get(target)) if target in {"/quick", "/large"} else None

    @property
    def quick_connections(self) -> int:
        """Return how many connections aiohttp has not got."""
        return sum(connection.handler is None for connection in self.server.connections.open)


@asynccontextmanager
async def serving(limits: HttpLimits | None = None) -> AsyncIterator[Served]:
    """Serve until the context ends."""
    served = Served()

    async def slow(request: web.Request) -> web.Response:
        return web.Response(text=f"slow {request.method} {len(await request.read())}")

    app = web.Application(client_max_size=1_000)
    app.router.add_route("*", "/{tail:.*}", slow)
    served.server = await listen(app, 0, served.answers, limits)
    try:
        yield served
    finally:
        for client in served.clients:
            client.writer.close()
        await served.server.close()


@pytest.fixture(name="served")
async def _served() -> AsyncIterator[Served]:
    async with serving() as served:
        yield served


async def test_a_connection_is_answered_again_and_again(served: Served) -> None:
    """A plain request gets a whole answer, and the connection stays where it is."""
    client = await served.open()
    for _ in range(3):
        await client.say(QUICK)
        status, headers, body = await client.hear()

        assert (200, b'"quick"', "application/json") == (status, body, headers["content-type"])
        assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", headers["date"])
    assert 1 == served.quick_connections
    # The same bytes are read once.
    assert ["/quick"] == served.found


async def test_requests_may_come_in_pieces(served: Served) -> None:
    """Cut at any byte, or into single bytes, a request gets the same answer, and so does the next one."""
    client = await served.open()
    for cut in range(1, len(QUICK)):
        await client.say(QUICK[:cut], QUICK[cut:])

        assert (200, b'"quick"') == (await client.hear())[::2]
    await client.say(*(QUICK[index : index + 1] for index in range(len(QUICK))))

    assert (200, b'"quick"') == (await client.hear())[::2]
    assert 1 == served.quick_connections


@pytest.mark.parametrize("pieces", [1, 7])
async def test_pipelined_requests_are_answered_in_order(served: Served, pieces: int) -> None:
    """Requests that were sent at once, known and unknown ones, get their answers in the order they came in."""
    other = b"GET /other HTTP/1.1\r\n" + HOST + b"\r\n"
    sent = QUICK + other + QUICK + other
    size = -(-len(sent) // pieces)
    client = await served.open()
    await client.say(*(sent[start : start + size] for start in range(0, len(sent), size)))
    heard = [(await client.hear())[2] for _ in range(4)]

    # aiohttp has the connection from the first request that is not ours alone, and answers all that follow.
    assert [b"slow GET 0", b"slow GET 0"] == heard[1::2]
    assert {b'"quick"', b"slow GET 0"} >= set(heard[::2])


async def test_a_request_without_a_kept_price_goes_to_the_application(served: Served) -> None:
    """Once the price is gone, the same bytes are answered by aiohttp, on the same connection."""
    client = await served.open()
    await client.say(QUICK)
    await client.hear()
    served.kept.clear()
    await client.say(QUICK)
    status, _, body = await client.hear()

    assert (200, b"slow GET 0", 0) == (status, body, served.quick_connections)


def _with(*headers: bytes, method: bytes = b"GET", version: bytes = b"1.1") -> bytes:
    lines = b"".join(header + b"\r\n" for header in headers)
    return method + b" /quick HTTP/" + version + b"\r\n" + lines + b"\r\n"


@pytest.mark.parametrize(
    "request_bytes",
    [
        _with(b"Host: a", method=b"HEAD"),
        _with(b"Host: a", method=b"POST"),
        _with(b"Host: a", method=b"get"),
        _with(b"Host: a", version=b"1.0"),
        _with(b"Host: a", version=b"2.0"),
        _with(),
        _with(b"Host: a", b"host: b"),
        _with(b"Host: a", b"Connection: close"),
        _with(b"Host: a", b"CONNECTION:close"),
        _with(b"Host: a", b"Content-Length: 0"),
        _with(b"Host: a", b"Transfer-Encoding: chunked"),
        _with(b"Host: a", b"Expect: 100-continue"),
        _with(b"Host: a", b"Upgrade: websocket"),
        _with(b"Host: a", b"Range: bytes=0-1"),
        _with(b"Host: a", b"If-None-Match: x"),
        _with(b"Host: a", b"X : y"),
        _with(b"Host: a", b" folded"),
        _with(b"Host: a", b"X: \x00"),
        _with(b"Host: a", b"X: \xff"),
        _with(b"Host: a").replace(b"\r\n", b"\n"),
        _with(b"Host: a") + b"x",
        _with(b"Host: a") + _with(b"Host: a"),
        _with(b"Host: a")[:-1],
        _with(b"Host: a").replace(b"/quick", b"http://a/quick"),
        _with(b"Host: a").replace(b"/quick", b"/qu ick"),
        _with(b"Host: a", b"X: " + b"y" * LONGEST_REQUEST_BYTES),
        b"",
    ],
)
def test_only_plain_requests_are_ours(request_bytes: bytes) -> None:
    """Whatever has a body, asks for a condition, ends the connection or is spelled oddly is left to aiohttp."""
    assert target_of(request_bytes) is None
    assert "/quick" == target_of(_with(b"Host: a", b"Accept: */*", b"User-Agent: Go-http-client/1.1"))


@pytest.mark.parametrize(
    ("request_bytes", "is_kept_alive"),
    [
        (_with(b"Host: a", b"Connection: close"), False),
        (_with(b"Host: a", b"Connection: keep-alive"), True),
        (_with(version=b"1.0"), False),
        (_with(b"Connection: keep-alive", version=b"1.0"), True),
    ],
)
async def test_the_connection_ends_when_the_client_says_so(
    served: Served, request_bytes: bytes, is_kept_alive: bool
) -> None:
    """Connection: close and HTTP/1.0 end it after the answer, keep-alive and HTTP/1.1 do not."""
    client = await served.open()
    await client.say(QUICK)
    await client.hear()
    await client.say(request_bytes)
    status, _, _ = await client.hear()

    assert 200 == status
    if is_kept_alive:
        await client.say(QUICK)
        assert 200 == (await client.hear())[0]
    else:
        assert await client.ended()


async def test_head_has_no_body(served: Served) -> None:
    """HEAD tells the length of the body and sends none, so that the next answer is read right."""
    client = await served.open()
    await client.say(_with(b"Host: a", method=b"HEAD"))
    head = await asyncio.wait_for(client.reader.readuntil(b"\r\n\r\n"), 10)
    await client.say(_with(b"Host: a"))

    assert head.startswith(b"HTTP/1.1 200 ")
    assert (200, b"slow GET 0") == (await client.hear())[::2]


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (_with(b"Host: a", b"X: " + b"y" * 20_000), 400),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n", 400),
        (_with(b"Host: a", b"Content-Length: 5000", method=b"POST") + b"x" * 5_000, 413),
        (b"NONSENSE\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\n\n", 400),
    ],
)
async def test_what_is_too_large_or_no_request_is_refused(served: Served, request_bytes: bytes, status: int) -> None:
    """Aiohttp refuses it, and the connection ends."""
    client = await served.open()
    await client.say(request_bytes)

    assert status == (await client.hear())[0]


async def test_a_head_without_end_is_not_kept(served: Served) -> None:
    """Bytes that never make a head are given to aiohttp, which refuses them, once they are too many."""
    client = await served.open()
    await client.say(b"GET /", *([b"x" * 10_000] * (LONGEST_HEAD_BYTES // 10_000 + 1)))

    assert 400 == (await client.hear())[0]


async def test_an_idle_connection_is_closed() -> None:
    """Who asks nothing loses the connection, also after answers, at the quick way and at aiohttp's."""
    async with serving(HttpLimits(idle_s=0.05)) as served:
        silent, asking, other = [await served.open() for _ in range(3)]
        await asking.say(QUICK)
        await asking.hear()
        await other.say(_with(b"Host: a", b"Connection: keep-alive"))
        await other.hear()

        for client in (silent, asking, other):
            assert await client.ended()
        assert 0 == served.quick_connections


async def test_a_busy_connection_is_not_closed() -> None:
    """Who asks within the time keeps the connection for longer than that."""
    async with serving(HttpLimits(idle_s=0.3)) as served:
        client = await served.open()
        until_s = asyncio.get_running_loop().time() + 1.0
        while asyncio.get_running_loop().time() < until_s:
            await client.say(QUICK)
            await client.hear()

        assert 1 == served.quick_connections


@pytest.mark.parametrize("begun", [b"G", QUICK[:-1], b"POST /quick HTTP/1.1\r\nHost: a\r\n"])
async def test_a_head_that_does_not_end_costs_the_connection(begun: bytes) -> None:
    """Who begins a request and stops has a connection for a few seconds only."""
    async with serving(HttpLimits(head_s=0.05)) as served:
        client = await served.open()
        await client.say(begun)

        assert await client.ended()
        assert 0 == served.quick_connections


async def test_a_client_that_does_not_read_costs_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers for it wait up to a bound, then its requests do, and in the end it is cut off; others go on."""
    loop = asyncio.get_running_loop()
    async with serving(HttpLimits(idle_s=1.0)) as served:
        made = 0

        def large() -> bytes:
            nonlocal made
            made += 1
            return b"x" * LARGE_BYTES

        monkeypatch.setattr(served, "find", lambda _target: large)
        with socket.create_connection(("127.0.0.1", served.server.port)) as unread:
            unread.setblocking(False)
            # The kernel takes some megabytes before the server has to wait.
            for sent in range(1, 500):
                await loop.sock_sendall(unread, LARGE)
                await until(lambda sent=sent: made == sent)  # type: ignore[misc]
                waiting = [connection.unsent_bytes for connection in served.server.connections.open]
                if max(waiting) > 65_536:
                    break
            await loop.sock_sendall(unread, LARGE)
            client = await served.open()
            await client.say(LARGE)
            status, _, _ = await client.hear()
            client.writer.close()
            await until(lambda: served.quick_connections == 0, "the connection's end")

    assert 200 == status
    # The last request was not taken; the other client's was.
    assert sent + 1 == made < 500
    assert max(waiting) < 65_536 + 2 * LARGE_BYTES
