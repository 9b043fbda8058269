"""One question over HTTP, to servers that do not answer as they should."""

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from chainlink.rpc import http as module
from chainlink.rpc.errors import Malformed, RateLimited
from chainlink.rpc.http import FAILURES, Transport
from meshkit.http.failure_words import in_words

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def server(answer: Answer) -> TestServer:
    """Return a server that answers every request so."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    return TestServer(app)


async def ask(http: aiohttp.ClientSession, answer: Answer, timeout_s: float = 30) -> object:
    """Ask a server one question."""
    async with server(answer) as serving:
        return await Transport(http, timeout_s).ask(str(serving.make_url("/")), "eth_chainId", ())


def text(body: str, status: int = 200, kind: str = "text/html", **headers: str) -> Answer:
    """Return what always answers the same text."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=body, status=status, content_type=kind, headers=headers)

    return answer


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (text("<html>Bad gateway</html>"), "HTTP 200 with text/html that is no JSON"),
        (text("<html>No</html>", 404), "HTTP 404 with text/html that is no JSON"),
        (text('{"id":1,"result":"0x1"}', 502), "HTTP 502"),
        (text("", 401), "HTTP 401"),
        (text("{", kind="application/json"), "HTTP 200 with application/json that is no JSON"),
        (text('[{"id":1,"result":"0x1"}]', kind="application/json"), "no JSON-RPC answer"),
        (text('{"id":1}', kind="application/json"), "no JSON-RPC answer"),
        (text('{"id":2,"result":"0x1"}', kind="application/json"), "an answer to question 2, asked was 1"),
    ],
)
async def test_what_is_no_answer(http: aiohttp.ClientSession, answer: Answer, words: str) -> None:
    """A page, a gateway's error and the answer to another question are failures that say what came."""
    with pytest.raises(Malformed, match=words):
        await ask(http, answer)


async def test_a_redirect_is_not_followed(http: aiohttp.ClientSession) -> None:
    """A question is not taken elsewhere: a redirect is a failure that is named."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    with pytest.raises(Malformed, match="HTTP 302"):
        await ask(http, answer)
    assert ["/"] == asked


@pytest.mark.parametrize(
    ("headers", "rest_s"),
    [({"Retry-After": "7"}, 7.0), ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, None), ({}, None)],
)
async def test_asked_too_often(http: aiohttp.ClientSession, headers: dict[str, str], rest_s: float | None) -> None:
    """429 tells for how long the endpoint wants to be left alone, where it says so in seconds."""
    with pytest.raises(RateLimited) as caught:
        await ask(http, text("slow down", 429, **headers))
    assert rest_s == caught.value.retry_after_s


async def test_an_answer_without_end(http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer is read up to a bound, then refused."""
    monkeypatch.setattr(module, "MOST_BYTES", 100_000)

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b" " * 10_000)
        except ConnectionError:
            return response

    with pytest.raises(Malformed, match="more than 100000 bytes"):
        await ask(http, answer)


async def test_no_answer_in_time(http: aiohttp.ClientSession) -> None:
    """A server that never answers, and one that stops in the middle of its answer, are given up."""

    async def silent(request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    async def halting(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"id":')
        await asyncio.Event().wait()
        return response

    for answer in (silent, halting):
        with pytest.raises(TimeoutError):
            await ask(http, answer, timeout_s=0.1)


async def test_answers_in_another_order(http: aiohttp.ClientSession) -> None:
    """Questions that are answered in the reverse order each get their own answer."""
    waiting: list[asyncio.Event] = []

    async def answer(request: web.Request) -> web.Response:
        body = await request.json()
        mine = asyncio.Event()
        waiting.append(mine)
        if len(waiting) == 5:
            waiting[-1].set()
        await mine.wait()
        waiting.remove(mine)
        if waiting:
            waiting[-1].set()
        return web.json_response({"jsonrpc": "2.0", "id": body["id"], "result": body["params"][0]})

    async with server(answer) as serving:
        transport, url = Transport(http), str(serving.make_url("/"))
        assert list(range(5)) == await asyncio.gather(*(transport.ask(url, "echo", (i,)) for i in range(5)))


async def test_a_key_in_the_url_is_not_told(http: aiohttp.ClientSession) -> None:
    """What a failure says does not hold the URL."""
    with pytest.raises(FAILURES) as caught:
        await Transport(http).ask("http://127.0.0.1:1/v2/an-access-key", "eth_chainId", ())
    assert "an-access-key" not in in_words(caught.value)
