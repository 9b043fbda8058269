"""The streams there are."""

from collections.abc import Mapping

import aiohttp

from meshkit.clock import Clock
from meshkit.metrics import Registry
from services.aggregator.sources.markets import Markets
from services.aggregator.streams.binance import BinanceStream
from services.aggregator.streams.bybit import BybitStream
from services.aggregator.streams.coinbase import CoinbaseStream
from services.aggregator.streams.cryptocompare import CryptocompareStream
from services.aggregator.streams.finnhub import FinnhubStream
from services.aggregator.streams.kraken import KrakenStream
from services.aggregator.streams.kucoin import KucoinStream
from services.aggregator.streams.okx import OkxStream
from services.aggregator.streams.protocol import Dialect
from services.aggregator.streams.settings import StreamConfig
from services.aggregator.streams.source_stream import SourceStream

_DIALECTS: tuple[Dialect, ...] = (
    BinanceStream(),
    BybitStream(),
    CoinbaseStream(),
    CryptocompareStream(),
    FinnhubStream(),
    KrakenStream(),
    KucoinStream(),
    OkxStream(),
)
DIALECTS: Mapping[str, Dialect] = {dialect.RULES.source: dialect for dialect in _DIALECTS}


def open_streams(
    session: aiohttp.ClientSession,
    configs: Mapping[str, StreamConfig],
    clock: Clock,
    metrics: Registry,
    listed: Mapping[str, Markets] | None = None,
) -> list[SourceStream]:
    """
    Return the streams of the sources that can have one, but of those without their key, which are off as a whole.

    `listed` are the markets of the sources that list them, by their names.
    """
    streams = []
    for name, config in configs.items():
        dialect = DIALECTS.get(name)
        if dialect is not None and (config.api_key or not dialect.RULES.key_parameter):
            markets = (listed or {}).get(name)
            stream = SourceStream(dialect, config, session, clock, metrics, markets)
            if markets is not None:
                markets.on_change(stream.rename)
            streams.append(stream)
    return streams
