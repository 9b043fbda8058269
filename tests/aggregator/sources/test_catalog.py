import asyncio
import json
from typing import Any

import aiohttp
import pytest
import structlog

from meshkit.clock import ManualClock
from meshkit.configuration.solution import Configuration
from meshkit.log import censor
from services.aggregator.config import AggregatorConfig, read
from services.aggregator.metrics import open_registry
from services.aggregator.sources.catalog import DECLARATIONS
from services.aggregator.sources.factory import open_sources
from services.aggregator.sources.settings import SourceConfig
from services.aggregator.streams.catalog import open_streams
from tests.aggregator.fakes import BTC
from tests.aggregator.test_config import configuration

KEYED = sorted(key for key, declared in DECLARATIONS.items() if declared.key is not None and declared.key.required)


def names(session: aiohttp.ClientSession, config: AggregatorConfig) -> list[str]:
    """Return the names of the sources that are opened."""
    return sorted(
        source.DECLARATION.config_key for source in open_sources(session, config.sources.values(), ManualClock())
    )


def aggregator(sources: dict[str, Any], **settings: Any) -> Configuration:
    """Return a configuration with these sources."""
    return configuration({"sources": sources, **settings})


async def test_all_thirteen_are_opened(session: aiohttp.ClientSession) -> None:
    """With keys where they are required, every source of the configuration exists."""
    sources = {name: {"apiKey": "some-key"} if name in KEYED else {} for name in DECLARATIONS}

    assert sorted(DECLARATIONS) == names(session, read(aggregator(sources)))


async def test_a_source_without_its_required_key_is_off_with_one_warning(session: aiohttp.ClientSession) -> None:
    """The start goes on, the warning names the source and the setting, and the source has no stream either."""
    with structlog.testing.capture_logs() as logs:
        config = read(aggregator({name: {} for name in DECLARATIONS}))
        opened = names(session, config)
        streamed = {stream.source for stream in open_streams(session, config.streams, ManualClock(), open_registry())}

    assert ["alphavantage", "cryptocompare", "exchangeratehost", "finnhub"] == KEYED
    assert sorted(set(DECLARATIONS) - set(KEYED)) == opened
    assert {key for key, declared in DECLARATIONS.items() if declared.has_stream} - set(KEYED) == streamed
    assert KEYED == sorted(event["source"].replace("-", "") for event in logs)
    assert all(event["log_level"] == "warning" and "apiKey" in event["reason"] for event in logs)


@pytest.mark.parametrize(("key", "opened"), [("", []), (" \n", []), ("some-key\n", ["finnhub"])])
async def test_a_key_is_what_stands_between_spaces(session: aiohttp.ClientSession, key: str, opened: list[str]) -> None:
    """An empty key is none, and one that was pasted with its line end is good."""
    config = read(aggregator({"finnhub": {"apiKey": key}}))

    assert opened == names(session, config)
    assert opened == [stream.source for stream in open_streams(session, config.streams, ManualClock(), open_registry())]
    stream = config.streams.get("finnhub")
    assert (key.strip() or None) == (stream and stream.api_key)


async def test_a_source_whose_proxy_is_missing_is_off_with_one_warning(session: aiohttp.ClientSession) -> None:
    """Asking directly would show an address that the operator wants to hide."""
    with structlog.testing.capture_logs() as logs:
        config = read(
            aggregator({"okx": {"useProxy": True}, "kraken": {}, "bybit": {"useProxy": True, "enabled": False}})
        )

    assert ["kraken"] == names(session, config)
    assert [("okx", "warning")] == [(event["source"], event["log_level"]) for event in logs]
    assert "proxy" in logs[0]["reason"]


def test_each_source_has_the_proxy_that_it_asks_for() -> None:
    """The global one, its own, or none."""
    sources = {"okx": {"useProxy": True}, "kraken": {"useProxy": "http://10.0.0.1:8080"}, "bybit": {"useProxy": False}}
    config = read(aggregator(sources, proxy="http://10.0.0.2:3128"))

    assert {"okx": "http://10.0.0.2:3128", "kraken": "http://10.0.0.1:8080", "bybit": None} == {
        name: source.proxy for name, source in config.sources.items()
    }


async def test_secrets_are_censored_once_a_source_is_open(session: aiohttp.ClientSession) -> None:
    """A key and a proxy's password are hidden, also as they stand in an address, and a printed setting has none."""
    source = SourceConfig("finnhub", api_key="a key/with+signs", proxy="http://me:a-pass-word@10.0.0.2:3128")
    names(session, AggregatorConfig({"finnhub": source}, {}))

    assert "token=***&p=***" == censor("token=a%20key%2Fwith%2Bsigns&p=a-pass-word")
    assert "***" == censor("a key/with+signs")
    assert "signs" not in repr(source)
    assert "a-pass-word" not in repr(source)


async def test_requests_go_through_the_proxy(session: aiohttp.ClientSession) -> None:
    """The proxy is asked for the provider's whole address, and the provider itself is not asked."""
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).decode().splitlines()[0])
        body = json.dumps({"time": "2026-01-01T00:00:00Z", "price": "5", "bid": "5", "ask": "5"}).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(body), body))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        proxy = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        settings = SourceConfig("coinbase", base_url="http://provider.localhost", proxy=proxy)
        (source,) = open_sources(session, [settings], ManualClock())
        ticks = await source.fetch([BTC])

    assert "5" == getattr(ticks[BTC], "price", None)
    addresses = [f"http://provider.localhost/products{path}" for path in ("", "/BTC-USD/ticker")]
    assert [f"GET {address} HTTP/1.1" for address in addresses] == asked
