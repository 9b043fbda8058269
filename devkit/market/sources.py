"""The sources that the market speaks, in the order of the documentation."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from devkit.market.dialects.alphavantage import Alphavantage
from devkit.market.dialects.binance import Binance
from devkit.market.dialects.bybit import Bybit
from devkit.market.dialects.coinbase import Coinbase
from devkit.market.dialects.coingecko import Coingecko
from devkit.market.dialects.cryptocompare import Cryptocompare
from devkit.market.dialects.dialect import Dialect
from devkit.market.dialects.exchangerate_host import ExchangerateHost
from devkit.market.dialects.finnhub import Finnhub
from devkit.market.dialects.frankfurter import Frankfurter
from devkit.market.dialects.kraken import Kraken
from devkit.market.dialects.kucoin import Kucoin
from devkit.market.dialects.okx import Okx
from devkit.market.dialects.yahoofinance import Yahoofinance
from devkit.market.streams.binance import BinanceStream
from devkit.market.streams.bybit import BybitStream
from devkit.market.streams.coinbase import CoinbaseStream
from devkit.market.streams.coinbase_advanced import CoinbaseAdvancedStream
from devkit.market.streams.cryptocompare import CryptocompareStream
from devkit.market.streams.cryptocompare_legacy import CryptocompareLegacyStream
from devkit.market.streams.finnhub import FinnhubStream
from devkit.market.streams.kraken import KrakenStream
from devkit.market.streams.kucoin import KucoinStream
from devkit.market.streams.okx import OkxStream
from devkit.market.streams.stream import Stream

DIALECTS: Final[tuple[type[Dialect], ...]] = (
    Binance,
    Okx,
    Coingecko,
    Kraken,
    Coinbase,
    Cryptocompare,
    Finnhub,
    Alphavantage,
    ExchangerateHost,
    Frankfurter,
    Yahoofinance,
    Kucoin,
    Bybit,
)
STREAMS: Final[Mapping[str, tuple[type[Stream], ...]]] = MappingProxyType(
    {
        "binance": (BinanceStream,),
        "okx": (OkxStream,),
        "kraken": (KrakenStream,),
        "coinbase": (CoinbaseStream, CoinbaseAdvancedStream),
        "cryptocompare": (CryptocompareStream, CryptocompareLegacyStream),
        "finnhub": (FinnhubStream,),
        "kucoin": (KucoinStream,),
        "bybit": (BybitStream,),
    }
)
