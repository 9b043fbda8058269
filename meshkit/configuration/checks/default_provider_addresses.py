"""Where the sources' own REST APIs are, for who names no other address; the aggregator's declarations say the same."""

from typing import Final

from meshkit.configuration.aggregator import SourceName

REST: Final[dict[SourceName, str]] = {
    "alphavantage": "https://www.alphavantage.co",
    "binance": "https://api.binance.com",
    "bybit": "https://api.bybit.com",
    "coinbase": "https://api.exchange.coinbase.com",
    "coingecko": "https://api.coingecko.com",
    "cryptocompare": "https://data-api.cryptocompare.com",
    "exchangeratehost": "https://api.exchangerate.host",
    "finnhub": "https://finnhub.io",
    "frankfurter": "https://api.frankfurter.dev",
    "kraken": "https://api.kraken.com",
    "kucoin": "https://api.kucoin.com",
    "okx": "https://www.okx.com",
    "yahoofinance": "https://query1.finance.yahoo.com",
}
