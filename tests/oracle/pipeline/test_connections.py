"""Where tasks may connect to, against real sockets of this host, some of which count as public."""

import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from services.oracle.pipeline.connections import is_public, open_public_session, open_session
from services.oracle.pipeline.errors import TaskError
from services.oracle.pipeline.fetch import Fetcher
from tests.oracle.pipeline.adapter import result_of

PUBLIC, PRIVATE = "127.0.0.1", "127.0.0.2"
_REFUSED = "connections to local/private and multicast networks are disabled by default"


class Names(AbstractResolver):
    """Know two names, of an address that counts as public and of one that does not."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        address = {"public.example": PUBLIC, "private.example": PRIVATE}[host]
        return [ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        """Keep nothing."""


@pytest.fixture(name="port")
async def _port() -> AsyncIterator[int]:
    """Give the port of a server at both addresses, whose `/to` sends on to another."""

    async def answer(request: web.Request) -> web.Response:
        if host := request.query.get("to"):
            raise web.HTTPFound(f"http://{host}:{request.url.port}/")
        return web.Response(text="9")

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", 0).start()  # both addresses
    yield runner.addresses[0][1]
    await runner.cleanup()


@pytest.fixture(name="fetcher")
async def _fetcher() -> AsyncIterator[Fetcher]:
    """Give a fetcher for which one address of this host is public, and another is not."""
    public = open_public_session(None, lambda address: PUBLIC == _numeric(address), Names())
    async with aiohttp.ClientSession(auto_decompress=False) as session, public:
        yield Fetcher(session, lambda _: None, default_timeout_s=5.0, max_bytes=4096, public=public)


def _numeric(text: str) -> str:
    if not text.replace(".", "").isdigit():
        raise ValueError(text)
    return text


COMPUTED = 'x [type=http method=GET url="$(jobRun.url)"]'


@pytest.mark.parametrize(
    "url",
    [
        "http://private.example:{port}/",
        "http://public.example:{port}/?to=127.0.0.2",
        "http://public.example:{port}/?to=private.example",
    ],
)
async def test_a_computed_url_leads_to_public_addresses_only(fetcher: Fetcher, port: int, url: str) -> None:
    """Neither by what its name means nor by a redirect does it get into this network."""
    with pytest.raises(TaskError, match=_REFUSED):
        await result_of(COMPUTED, fetcher, jobRun={"url": url.format(port=port)})
    assert "9" == await result_of(COMPUTED, fetcher, jobRun={"url": f"http://public.example:{port}/"})
    assert "9" == await result_of(COMPUTED, fetcher, jobRun={"url": f"http://public.example:{port}/?to=public.example"})


async def test_a_list_of_hosts_holds_for_tasks(port: int) -> None:
    """With a list, a URL of a job asks this host, and beyond it by https those on the list only."""
    async with open_session(frozenset({"a.example"})) as session, open_public_session(frozenset()) as public:
        fetcher = Fetcher(session, lambda _: None, default_timeout_s=5.0, max_bytes=4096, public=public)
        assert "9" == await result_of(f'x [type=http method=GET url="http://{PUBLIC}:{port}/"]', fetcher)
        with pytest.raises(TaskError, match="only https and wss leave this host"):
            await result_of('x [type=http method=GET url="http://a.example/"]', fetcher)
        with pytest.raises(TaskError, match=r"b.example is not among the hosts of solution.mesh.egress"):
            await result_of('x [type=http method=GET url="https://b.example/"]', fetcher)
        with pytest.raises(TaskError, match=r"a.example is not among the hosts of solution.mesh.egress"):
            await result_of(COMPUTED, fetcher, jobRun={"url": "https://a.example/"})


@pytest.mark.parametrize(
    ("address", "expected"),
    [("1.1.1.1", True), ("2606:4700::1", True)]
    + [(address, False) for address in ("127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "0.0.0.0")]
    + [(address, False) for address in ("100.64.0.1", "224.0.0.1", "::1", "fe80::1", "fd00::1", "::ffff:127.0.0.1")],
)
def test_public_addresses(address: str, expected: bool) -> None:
    """Those of this host, of local networks, of the cloud's metadata and of groups are none."""
    assert expected is is_public(address)
