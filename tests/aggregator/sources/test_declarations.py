"""Every source is declared, and each declaration is what its provider documents."""

import aiohttp
import pytest
from aiohttp import web

from meshkit import feeds
from meshkit.clock import ManualClock
from meshkit.configuration.aggregator import SOURCES
from services.aggregator.sources.catalog import DECLARATIONS
from services.aggregator.sources.client import SourceClient
from services.aggregator.sources.source import UNLIMITED
from tests.aggregator.sources.making import KEY

# Providers that take a key in the address only, as they document.
WITHOUT_HEADER = {"alphavantage", "exchangeratehost"}


def test_there_are_thirteen_under_the_names_of_configuration_and_routes() -> None:
    """The configuration's names have no dash, the routes' names have one for exchangerate.host."""
    assert set(SOURCES) == set(DECLARATIONS)
    assert {"exchangerate-host"} == {d.name for key, d in DECLARATIONS.items() if d.name != key}


def test_every_source_of_the_feeds_exists() -> None:
    """No feed is mapped to a source that nobody can ask."""
    asked = {source for feed in feeds.load().values() for source in feed.sources}

    assert set() == asked - {declared.name for declared in DECLARATIONS.values()}


@pytest.mark.parametrize("name", sorted(name for name, declared in DECLARATIONS.items() if declared.key is not None))
async def test_keys_go_into_headers(session: aiohttp.ClientSession, name: str) -> None:
    """A key is in the address only where the provider takes no header."""
    seen: list[web.Request] = []

    async def remember(request: web.Request) -> web.Response:
        seen.append(request)
        return web.json_response({})

    app = web.Application()
    app.router.add_get("/{tail:.*}", remember)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        client = SourceClient(session, DECLARATIONS[name], ManualClock(), base_url=url, api_key=KEY)
        await client.get("/p", {"a": "b"}, limiter=UNLIMITED)
    finally:
        await runner.cleanup()

    assert (name in WITHOUT_HEADER) == (KEY in seen[0].path_qs)
    assert (name not in WITHOUT_HEADER) == any(KEY in value for value in seen[0].headers.values())


@pytest.mark.parametrize(
    ("host", "header"),
    [
        ("api.coingecko.com", "x-cg-demo-api-key"),
        ("pro-api.coingecko.com", "x-cg-pro-api-key"),
        ("127.0.0.1", "x-cg-demo-api-key"),
    ],
)
def test_coingecko_has_a_header_for_each_of_its_hosts(host: str, header: str) -> None:
    """A demo key at the paying host is refused, and the reverse, so the host decides."""
    place = DECLARATIONS["coingecko"].key

    assert place is not None
    assert header == place.header_at(host)


def test_only_what_is_made_of_others_is_an_aggregate() -> None:
    """These three prove little beside the exchanges that they are made of."""
    assert {"coingecko", "cryptocompare", "finnhub"} == {key for key, d in DECLARATIONS.items() if d.is_aggregate}
