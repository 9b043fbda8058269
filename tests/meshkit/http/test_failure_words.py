"""What went wrong with a request, as people read it."""

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from meshkit.http.failure_words import host_of, in_words

KEY = "an-access-key"


async def failure(url: str, timeout_s: float = 20) -> str:
    """Ask for a URL, and return in words why that failed."""
    timeout = aiohttp.ClientTimeout(total=timeout_s)
    async with aiohttp.ClientSession(timeout=timeout, raise_for_status=True) as session:
        with pytest.raises((aiohttp.ClientError, TimeoutError)) as caught:
            await session.get(url)
    return in_words(caught.value, url)


async def test_nobody_listens() -> None:
    """Where nobody listens it says where that is, and nothing else of the URL."""
    port = unused_port()
    said = await failure(f"http://user:{KEY}@127.0.0.1:{port}/v2/{KEY}")

    assert f"no connection to 127.0.0.1:{port}: Connection refused" == said


async def test_a_name_that_is_not_known() -> None:
    """A host that has no address is named."""
    said = await failure(f"http://nowhere.invalid/{KEY}")

    assert said.startswith("no connection to nowhere.invalid:80: ")
    assert KEY not in said


async def test_servers_that_answer_badly() -> None:
    """A status, a connection that is closed and a silence are told with the server's host."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/busy":
            return web.Response(status=503)
        if request.path == "/closed":
            assert request.transport is not None
            request.transport.abort()
        response = web.StreamResponse()
        await response.prepare(request)
        return response

    app = web.Application()
    app.router.add_get("/{path}", answer)
    async with TestServer(app) as server:
        host = f"127.0.0.1:{server.port}"
        assert f"HTTP 503 from {host}" == await failure(str(server.make_url("/busy")))
        assert f"{host} closed the connection" == await failure(str(server.make_url("/closed")))


def test_a_silence() -> None:
    """No answer in time is told with the host, where that is known; other errors with their text."""
    assert "no answer from a.b:8 in time" == in_words(TimeoutError(), f"http://a.b:8/{KEY}")
    assert "no answer in time" == in_words(TimeoutError())
    assert "ValueError: x" == in_words(ValueError("x"))
    assert "ClientPayloadError at a.b" == in_words(aiohttp.ClientPayloadError(KEY), "https://a.b/")


@pytest.mark.parametrize(
    ("url", "host"),
    [
        (f"https://u:{KEY}@h.example:1/{KEY}?{KEY}", "h.example:1"),
        ("wss://h.example", "h.example"),
        ("http://[::1", ""),
        ("http://h:port/", ""),
        ("", ""),
    ],
)
def test_hosts(url: str, host: str) -> None:
    """Of a URL the host and the port are told."""
    assert host == host_of(url)
