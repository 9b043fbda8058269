"""The rule that looks whether sources list what feeds ask them for, against the simulated market's listings."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from cli.commands.source_listings import BOOKS, Listing, fetch
from cli.feeds.lint import lint
from devkit.market.app import build_app
from devkit.market.process import PriceProcess
from meshkit import feeds
from meshkit.clock import SystemClock
from meshkit.configuration.aggregator import PriceAggregatorConfig
from meshkit.feeds import Feed
from meshkit.http.failure_words import host_of
from services.aggregator.sources.catalog import DECLARATIONS
from tests.ports import free_port

VECTOR = Path(__file__).parents[2] / "vectors/configuration.signed.json"
BTC = Feed(
    "BTC / USD",
    "BTC",
    "USD",
    8,
    {
        "binance": ("BTC", "USDT"),
        "bybit": ("BTC", "USDT"),
        "coinbase": ("BTC", "USD"),
        "coingecko": ("bitcoin", "USD"),
        "kraken": ("BTC", "USD"),
        "kucoin": ("BTC", "USDT"),
        "okx": ("BTC", "USD"),
    },
)


@pytest.fixture(name="market")
async def _market() -> AsyncIterator[str]:
    """Give the address of a running market simulator."""
    async with TestServer(build_app(PriceProcess(7), SystemClock())) as server:
        yield str(server.make_url("")).rstrip("/")


def config(urls: dict[str, str]) -> PriceAggregatorConfig:
    """Return a configuration of sources at these addresses."""
    sources = {name: {"baseUrl": url} for name, url in urls.items()}
    return PriceAggregatorConfig.model_validate({"sources": sources})


def dead() -> str:
    """Return an address where nobody listens."""
    return f"http://127.0.0.1:{free_port()}"


def test_sources_are_asked_where_the_aggregator_asks_them() -> None:
    """Each listing's address is that of the source's prices."""
    assert {name: DECLARATIONS[name].base_url for name in BOOKS} == {
        name: book.base_url for name, book in BOOKS.items()
    }


async def test_every_listing_is_read(market: str) -> None:
    """Each source's own form gives the pairs that the simulated market trades, and no delisted one."""
    books = await fetch(config({name: f"{market}/{name}" for name in BOOKS}))

    assert [] == [(name, book.problem) for name, book in books.items() if book.problem]
    assert [] == [name for name, pair in BTC.sources.items() if pair not in books[name]]
    assert ("EUR", "USD") in books["frankfurter"]
    assert ("NOPE", "USDT") not in books["binance"]
    assert ("MATIC", "USDT") not in books["binance"]
    assert [] == lint([BTC], {}, books)


async def test_an_unlisted_pair_is_found(market: str) -> None:
    """A symbol that a source does not have is a warning; if no source has the feed, nothing prices it."""
    books = await fetch(config({name: f"{market}/{name}" for name in BOOKS}))
    wrong = {**BTC.sources, "kraken": ("BTC", "USDD"), "coingecko": ("bitcoin-of-another-name", "USD")}
    found = lint([replace(BTC, sources=wrong)], {}, books)
    unlisted = [(finding.severity, finding.message) for finding in found if finding.rule == "unlisted"]

    assert [
        ("warning", "coingecko does not list bitcoin-of-another-name/USD"),
        ("warning", "kraken does not list BTC/USDD"),
    ] == unlisted

    gone = replace(BTC, sources=dict.fromkeys(("binance", "okx", "kraken"), ("BTC", "USDC.X")))
    assert ("error", "no-source") in {(each.severity, each.rule) for each in lint([gone], {}, books)}


async def test_what_is_not_reached_is_told_and_not_judged(market: str) -> None:
    """A dead address, a page that is no listing and an empty one say so, and make no finding."""

    async def page(_request: web.Request) -> web.Response:
        return web.Response(text="<html>maintenance</html>")

    async def empty(_request: web.Request) -> web.Response:
        return web.json_response({"symbols": []})

    app = web.Application()
    app.router.add_get("/page/{tail:.*}", page)
    app.router.add_get("/empty/{tail:.*}", empty)
    async with TestServer(app) as server:
        odd = {"okx": str(server.make_url("/page")), "binance": str(server.make_url("/empty")), "kraken": dead()}
        books = await fetch(config({name: odd.get(name, f"{market}/{name}") for name in BOOKS}))

    assert {
        "binance": "not reachable (the listing is empty)",
        "okx": "not reachable (what answered is no listing)",
        "kraken": f"not reachable (no connection to {host_of(odd['kraken'])}: Connection refused)",
    } == {name: book.problem for name, book in books.items() if book.problem}
    assert [] == lint([replace(BTC, sources=dict.fromkeys(odd, ("NO", "NONE")), base="NO", quote="NONE")], {}, books)


async def test_the_command_asks_where_the_configuration_says(market: str, tmp_path: Path) -> None:
    """The summary tells of each listing; pairs that the simulated market does not have are unlisted."""
    document = orjson.loads(VECTOR.read_bytes())
    silent = dead()
    document["solution"]["priceAggregatorConfig"]["sources"] = {
        name: {"baseUrl": silent if name == "coinbase" else f"{market}/{name}"} for name in BOOKS
    }
    path = tmp_path / "configuration.json"
    path.write_text(json.dumps(document))
    command = [sys.executable, "-m", "cli", "feeds", "lint", "--config", str(path), "--json"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    said = orjson.loads(output)
    unlisted = {finding["message"].split()[0] for finding in said["findings"] if finding["rule"] == "unlisted"}

    assert len(feeds.load()) == said["feeds"]
    assert set(BOOKS) == set(said["listings"])
    assert f"not reachable (no connection to {host_of(silent)}: Connection refused)" == said["listings"]["coinbase"]
    assert [] == [name for name, told in said["listings"].items() if name != "coinbase" and "listed" not in told]
    assert "coinbase" not in unlisted


def test_a_listing_of_currencies_has_any_two_of_them() -> None:
    """Bases and quotes combine; nothing else is in it."""
    listing = Listing(bases=frozenset({"EUR", "USD"}), quotes=frozenset({"EUR", "USD"}))

    assert ("EUR", "USD") in listing
    assert ("EUR", "XXX") not in listing
