"""Whether there is a stream, and where."""

import pytest
from pydantic import TypeAdapter

from meshkit.configuration.aggregator import Source
from services.aggregator.streams.binance import BinanceStream
from services.aggregator.streams.coinbase import CoinbaseStream
from services.aggregator.streams.dial import address, with_query
from services.aggregator.streams.okx import OkxStream
from services.aggregator.streams.settings import read_stream


def source(**fields: object) -> Source:
    """Return a source of a configuration file."""
    return TypeAdapter(Source).validate_python(fields)


def test_the_providers_own_address_has_a_stream() -> None:
    """A source without a base URL is streamed although its configuration says nothing of streams."""
    assert read_stream(source(), None) is not None


def test_another_address_has_no_stream_unless_asked_for() -> None:
    """A source whose REST API is elsewhere (a simulator) is streamed only if the configuration has a stream section."""
    url = "http://127.0.0.1:8600/binance"
    assert read_stream(source(baseUrl=url), None) is None
    asked = read_stream(source(baseUrl=url, stream={"wsUrl": "ws://127.0.0.1:8600/binance/ws"}), None)
    assert asked is not None
    assert "ws://127.0.0.1:8600/binance/ws" == asked.ws_url


def test_a_source_that_is_off_has_no_stream() -> None:
    """What is disabled is not streamed."""
    assert read_stream(source(enabled=False, stream={}), None) is None


def test_only_given_times_override() -> None:
    """Defaults of the file's format do not override what a provider asks for; given values do."""
    default = read_stream(source(stream={}), None)
    given = read_stream(source(stream={"heartbeatInterval": 6000, "reconnectInterval": 7000}), None)
    assert default is not None
    assert given is not None
    assert (None, None) == (default.heartbeat_interval_ms, default.reconnect_interval_ms)
    assert (6000, 7000) == (given.heartbeat_interval_ms, given.reconnect_interval_ms)


@pytest.mark.parametrize(
    ("use_proxy", "expected"),
    [(False, None), (True, "http://global:1"), ("http://own:2", "http://own:2")],
)
def test_the_proxy(use_proxy: bool | str, expected: str | None) -> None:
    """A stream goes through the same proxy as its source's REST API (defect 10)."""
    config = read_stream(source(useProxy=use_proxy), "http://global:1")
    assert config is not None
    assert expected == config.proxy


def test_keys_are_not_shown() -> None:
    """The text of the settings holds neither the key nor the proxy's password (defect 12)."""
    config = read_stream(source(apiKey="secret-key-1", useProxy="http://me:secret-pass@own:2"), None)
    assert "secret" not in repr(config)


def test_regions() -> None:
    """A region's REST API goes with that region's stream: they are markets of their own (defect 19)."""
    assert "wss://stream.binance.us:9443/ws" == address(BinanceStream.RULES, None, "https://api.binance.us")
    assert "wss://stream.binance.com:9443/ws" == address(BinanceStream.RULES, None, "https://data-api.binance.vision")
    assert "wss://wseea.okx.com:8443/ws/v5/public" == address(OkxStream.RULES, None, "https://eea.okx.com")


def test_an_address_without_a_path() -> None:
    """The provider's path is added where the configuration has only a host, as existing files do."""
    assert "wss://stream.binance.us:9443/ws" == address(BinanceStream.RULES, "wss://stream.binance.us:9443", None)
    assert "ws://localhost:1/x" == address(BinanceStream.RULES, "ws://localhost:1/x", None)
    assert "wss://localhost:1" == address(CoinbaseStream.RULES, "wss://localhost:1", None)


def test_queries_are_escaped() -> None:
    """A key with reserved characters arrives as it is."""
    assert "wss://host/?a=1&token=k%26%3D%2B" == with_query("wss://host?a=1", {"token": "k&=+"})
