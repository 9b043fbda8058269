"""The sources there are."""

from collections.abc import Mapping
from typing import Protocol
from urllib.parse import quote, urlsplit

import aiohttp

from meshkit.clock import Clock
from meshkit.log import add_secret, get_logger
from services.aggregator.config import AggregatorConfig
from services.aggregator.sources.alphavantage import AlphaVantageSource
from services.aggregator.sources.binance import BinanceSource
from services.aggregator.sources.bybit import BybitSource
from services.aggregator.sources.client import SourceClient
from services.aggregator.sources.coinbase import CoinbaseSource
from services.aggregator.sources.coingecko import CoinGeckoSource
from services.aggregator.sources.cryptocompare import CryptoCompareSource
from services.aggregator.sources.exchangeratehost import ExchangeRateHostSource
from services.aggregator.sources.finnhub import FinnhubSource
from services.aggregator.sources.frankfurter import FrankfurterSource
from services.aggregator.sources.kraken import KrakenSource
from services.aggregator.sources.kucoin import KucoinSource
from services.aggregator.sources.okx import OkxSource
from services.aggregator.sources.source import Declaration, Source
from services.aggregator.sources.yahoofinance import YahooFinanceSource

log = get_logger(__name__)


class SourceType(Protocol):
    """Make a source of one provider."""

    @property
    def DECLARATION(self) -> Declaration:
        """Return how the provider behaves."""
        ...

    def __call__(self, client: SourceClient, clock: Clock, /) -> Source:
        """Return the source."""
        ...


_CLASSES: tuple[SourceType, ...] = (
    AlphaVantageSource,
    BinanceSource,
    BybitSource,
    CoinbaseSource,
    CoinGeckoSource,
    CryptoCompareSource,
    ExchangeRateHostSource,
    FinnhubSource,
    FrankfurterSource,
    KrakenSource,
    KucoinSource,
    OkxSource,
    YahooFinanceSource,
)
MAKERS: Mapping[str, SourceType] = {made.DECLARATION.config_key: made for made in _CLASSES}
DECLARATIONS: Mapping[str, Declaration] = {key: made.DECLARATION for key, made in MAKERS.items()}


def open_sources(session: aiohttp.ClientSession, config: AggregatorConfig, clock: Clock) -> list[Source]:
    """Return the configured sources that are enabled; one whose required key is missing is logged and left out."""
    sources = []
    for settings in config.sources.values():
        if not settings.enabled:
            continue
        declared = DECLARATIONS[settings.name]
        api_key = (settings.api_key or "").strip() or None  # keys are pasted with line ends
        if declared.key is not None and declared.key.required and api_key is None:
            log.warning("source_off", source=declared.name, reason="it needs a key and apiKey is not set")
            continue
        _hide(api_key, settings.proxy)
        client = SourceClient(
            session,
            declared,
            clock,
            base_url=settings.base_url,
            timeout_ms=settings.timeout_ms,
            api_key=api_key,
            proxy=settings.proxy,
        )
        sources.append(MAKERS[settings.name](client, clock))
    return sources


def _hide(api_key: str | None, proxy: str | None) -> None:
    """Keep a key and a proxy's password out of the logs, also as they stand in a URL."""
    for secret in (api_key, urlsplit(proxy).password if proxy else None):
        if secret:
            add_secret(secret)
            add_secret(quote(secret, safe=""))
