"""The sources there are."""

from collections.abc import Mapping
from typing import Protocol

from meshkit.clock import Clock
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
