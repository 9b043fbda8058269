"""All of our HTTP servers in the same way: what no client may do to them, and what wrong bytes are answered."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
from aiohttp import web

from devkit.market.app import build_app
from devkit.market.process import PriceProcess
from meshkit.clock import SystemClock
from meshkit.http.limits import HttpLimits
from meshkit.http.server import HttpServer, listen
from services.aggregator.engine.engine import Engine
from services.aggregator.metrics import open_registry
from services.aggregator.web.routes import HttpApi
from services.metrics.page import server as page
from services.oracle.rest import application, jsonapi
from services.oracle.rest.json_body import RAW, decode
from services.oracle.rest.sessions import Sessions
from services.oracle.settings import WebServerSettings
from services.oracle.store.users import UserStore
from tests.aggregator.fakes import BTC, ScriptedSource, settings

QUICKLY = HttpLimits(head_s=0.4, body_s=0.4, idle_s=30)
ANSWER = re.compile(rb"HTTP/1\.[01] (\d{3}) ")


class NoUsers:
    """The users of a node that has none."""

    async def is_right(self, _email: str, _password: str) -> bool:
        """Return False."""
        return False

    async def session(self, _token: str, _idle_s: float) -> None:
        """Return that there is no session."""


class Echo:
    """A controller without a database."""

    def routes(self) -> Iterable[web.RouteDef]:
        """Return the routes."""
        return web.get("/health", self._answer), web.post("/echo", self._echo)

    async def _answer(self, _request: web.Request) -> web.Response:
        return jsonapi.one(jsonapi.resource("checks", "1", {}))

    async def _echo(self, request: web.Request) -> web.Response:
        return jsonapi.one(jsonapi.resource("echoes", "1", await decode(request, "echo.Request", {"a": RAW}, 400)))


@dataclass
class Served:
    """A server, and what it answers with 200 to whom."""

    server: HttpServer
    path: str
    takes_body_at: str

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect."""
        return await asyncio.open_connection("127.0.0.1", self.server.port)

    async def heard(self, *pieces: bytes) -> bytes:
        """Return all that the server says to these bytes until it hangs up."""
        reader, writer = await self.connect()
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            return await asyncio.wait_for(reader.read(), 10)
        except ConnectionError:
            return b""
        finally:
            writer.close()

    async def status(self, request: bytes) -> int:
        """Return the status of the answer to a request; 0 where the server hangs up without one."""
        found = ANSWER.match(await self.heard(request))
        return 0 if found is None else int(found[1])

    async def answers(self) -> bool:
        """Tell whether a right request gets its answer."""
        return await self.status(f"GET {self.path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode()) == 200


@asynccontextmanager
async def aggregator() -> AsyncIterator[Served]:
    """Serve prices."""
    clock, metrics = SystemClock(), open_registry()
    engine = Engine(settings(), [ScriptedSource("binance", prices={BTC: "100"})], clock, metrics)
    api = HttpApi(engine, clock, metrics)
    async with await listen(api.build(), "127.0.0.1", 0, limits=QUICKLY, quick=api.fast_answers().to) as server:
        yield Served(server, "/openapi.json", "/quotes/batch")
    await engine.close()


@asynccontextmanager
async def node() -> AsyncIterator[Served]:
    """Serve a node's REST API, without its database."""
    rest = WebServerSettings()
    sessions = Sessions(cast(UserStore, NoUsers()), rest, SystemClock())
    app = application.create(sessions, [Echo()], rest)
    async with await listen(app, "127.0.0.1", 0, limits=QUICKLY, auto_decompress=False) as server:
        yield Served(server, "/health", "/echo")


@asynccontextmanager
async def metrics_page() -> AsyncIterator[Served]:
    """Serve the page of the metrics."""

    async def render() -> bytes:
        return b"x 1\n"

    async with await listen(page.build(render), "127.0.0.1", 0, limits=QUICKLY) as server:
        yield Served(server, "/metrics", "/metrics")


@asynccontextmanager
async def market() -> AsyncIterator[Served]:
    """Serve the simulated market."""
    app = build_app(PriceProcess(seed=1, tick_ms=1000), SystemClock())
    async with await listen(app, "127.0.0.1", 0, limits=QUICKLY) as server:
        yield Served(server, "/healthz", "/control/binance")


@pytest.fixture(name="served", params=[aggregator, node, metrics_page, market], ids=lambda each: each.__name__)
async def _served(request: pytest.FixtureRequest) -> AsyncIterator[Served]:
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(request.param())


async def test_slow_heads_and_bodies_are_gone_after_their_time(served: Served) -> None:
    """300 heads and 100 bodies that do not end: a right request is answered meanwhile, and all are cut off."""
    body = f"POST {served.takes_body_at} HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{{".encode()
    opened = [await served.connect() for _ in range(400)]
    for index, (_, writer) in enumerate(opened):
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nX-" if index < 300 else body)

    async def rest(reader: asyncio.StreamReader) -> bytes:
        try:
            return await reader.read()
        except ConnectionError:
            return b""

    assert await served.answers()
    heard = await asyncio.wait_for(asyncio.gather(*(rest(reader) for reader, _ in opened)), 30)
    for _, writer in opened:
        writer.close()

    assert [b""] * 300 == heard[:300]
    found = [ANSWER.match(answer) for answer in heard[300:]]
    # Where no body is taken at all, that is said at once.
    assert {match[1] for match in found if match} <= {b"408", b"405"}
    assert all(found)
    assert await served.answers()
    assert not served.server.connections.open


async def test_a_second_head_has_a_deadline_too(served: Served) -> None:
    """Whoever was answered once and then begins a request that does not end is cut off."""
    whole = f"GET {served.path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    heard = await served.heard(whole, b"GET / HT")

    assert heard.startswith(b"HTTP/1.1 200 ")
    assert 1 == len(ANSWER.findall(heard))


async def test_a_dripping_head_has_no_longer_time(served: Served) -> None:
    """A byte now and then does not put the deadline off."""
    reader, writer = await served.connect()

    async def drip() -> None:
        for byte in b"GET / HTTP/1.1\r\nX: " + b"y" * 10_000:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.02)

    dripping = asyncio.create_task(drip())
    try:
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(reader.readexactly(1), 10)
    finally:
        dripping.cancel()
        writer.close()


async def _ok(served: Served, *lines: bytes, body: bytes = b"", method: bytes = b"POST", path: bytes = b"") -> int:
    head = b"%b %b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" % (method, path or served.takes_body_at.encode())
    return await served.status(head + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body)


_JSON = b"Content-Type: application/json"
_ODD_BODIES: tuple[tuple[tuple[bytes, ...], bytes], ...] = (
    *(
        ((b"Content-Encoding: " + coding, b"Content-Length: 9", _JSON), b"not-that!")
        for coding in (b"gzip", b"deflate", b"br", b"zstd", b"x", b"\xff", b"gzip, gzip")
    ),
    ((b"Transfer-Encoding: chunked",), b"nothex\r\n{}\r\n0\r\n\r\n"),
    ((b"Transfer-Encoding: chunked",), b"-1\r\n{}\r\n0\r\n\r\n"),
    ((b"Transfer-Encoding: chunked",), b"2\r\n{}xx0\r\n\r\n"),
    ((b"Transfer-Encoding: chunked",), b"ffffffffffffffffffff\r\n{}"),
    ((b"Transfer-Encoding: gzip, chunked",), b"2\r\n{}\r\n0\r\n\r\n"),
    ((b"Transfer-Encoding: x",), b"{}"),
    ((b"Transfer-Encoding: chunked", b"Content-Length: 2"), b"2\r\n{}\r\n0\r\n\r\n"),
    ((b"Content-Length: -1",), b""),
    ((b"Content-Length: x",), b""),
    ((b"Content-Length: 2", b"Content-Length: 3"), b"{}"),
    ((b"Content-Length: " + b"9" * 5000,), b"{}"),
    ((b"Content-Length: 4", b"Content-Type: ;;;/\x01"), b"\xff\xff\xff\xff"),
    ((b"Content-Length: 4", b"Content-Type: multipart/form-data"), b"\0\0\0\0"),
    ((b"Content-Length: 4", b"Expect: 200-ok"), b"null"),
    ((b"Content-Length: 3000000",), b"[" * 3_000_000),
    ((b"X: " + b"y" * 100_000,), b""),
    ((b"X: \0",), b""),
    ((b"X\0: 1",), b""),
    ((b": 1",), b""),
    (tuple(b"X%d: y" % number for number in range(2000)), b""),
)


async def test_bodies_and_headers_that_are_wrong_are_the_clients_fault(served: Served) -> None:
    """Encodings, chunks, lengths, charsets and headers of any kind: 4xx, never 5xx, and never silence."""
    found = {(lines, body[:40]): await _ok(served, *lines, body=body) for lines, body in _ODD_BODIES}

    assert {} == {odd: status for odd, status in found.items() if not 400 <= status < 500}
    assert await served.answers()


@pytest.mark.parametrize("charset", [b"nonsense", b"\xff\xfe", b"utf-16", b'"', b"utf-8; charset=x", b"rot13", b"hex"])
async def test_charsets_that_are_none_are_no_fault_of_ours(served: Served, charset: bytes) -> None:
    """JSON is UTF-8, whatever the header says, so it may be read; no name of a charset makes an error of ours."""
    content_type = b"Content-Type: application/json; charset=" + charset

    assert 200 <= await _ok(served, b"Content-Length: 2", content_type, body=b"{}") < 500
    assert 400 <= await _ok(served, b"Content-Length: 4", content_type, body=b"\xff\xfe{}") < 500


_PATHS = (
    *(b"/%", b"/%zz", b"/%00", b"/a%00b", b"/%ff%fe", b"/%2e%2e/%2e%2e", b"/\0", b"/\xff", b"/" + b"x" * 40_000),
    *(b"/?%", b"/?a=%00", b"/?=&&=%ff", b"//", b"/..;/", b"*", b"http://[::1", b"http://a:99999999/", b"a b", b""),
    *(b"/quotes/batch?pairs=%00-USD", b"/quote/%00/BTC/USD", b"/quote/kraken/%ff/USD", b"/quote/pairs/%00"),
    *(b"/v2/jobs/%00", b"/v2/%ff", b"/control/%00", b"/binance/api/v3/ticker/price?symbol=%00", b"/kraken/%00"),
    *(b"/reference?pairs=%00/USD", b"/reference?pairs=BTC%2FUSD&at_ms=%D9%A3", b"/reference?pairs=/&at_ms=1e400"),
)


async def test_paths_that_are_wrong_are_the_clients_fault(served: Served) -> None:
    """Escapes that are none, NUL and bytes beyond ASCII in paths and queries: never 5xx, and never silence."""
    found = {path[:60]: await _ok(served, method=b"GET", path=path or b" ") for path in _PATHS}

    assert {} == {path: status for path, status in found.items() if not 200 <= status < 500}
    assert await served.answers()


@pytest.mark.parametrize(
    "method", [b"TRACE", b"CONNECT", b"PROPFIND", b"FOO", b"get", b"G\0T", b"\xc3\x9cB", b"X" * 9999]
)
async def test_methods_that_are_wrong_are_the_clients_fault(served: Served, method: bytes) -> None:
    """A method that nobody serves, or that is none, gets 4xx."""
    assert 400 <= await _ok(served, method=method, path=served.path.encode()) < 500


async def test_a_client_that_hangs_up_in_its_body_costs_nothing(served: Served) -> None:
    """Half a body and the end of the connection: the server goes on, and holds nothing of it."""
    _, writer = await served.connect()
    writer.write(f"POST {served.takes_body_at} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{{".encode())
    await writer.drain()
    writer.close()
    await writer.wait_closed()

    assert await served.answers()


def test_no_server_is_set_up_elsewhere() -> None:
    """Nobody makes a runner or a site of aiohttp's but the one module that has the deadlines."""
    root = Path(__file__).parents[3]
    makes = re.compile(r"\b(AppRunner|ServerRunner|TCPSite|UnixSite|SockSite|run_app)\b")
    folders = ("services", "meshkit", "devkit", "cli", "chainlink")
    found = {
        str(path.relative_to(root))
        for folder in folders
        for path in (root / folder).rglob("*.py")
        if makes.search(path.read_text())
    }

    assert {"meshkit/http/server.py"} == found
