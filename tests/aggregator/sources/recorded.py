"""One answer of each endpoint of each source, as documented, and a client that gives such answers without a network."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, cast

import aiohttp

from meshkit.clock import ManualClock
from services.aggregator.exact_json import loads
from services.aggregator.prices.pair import Pair
from services.aggregator.sources.catalog import DECLARATIONS, MAKERS
from services.aggregator.sources.client import LONGEST_BODY_BYTES, Answer, SourceClient
from services.aggregator.sources.source import RateLimiter, Source

NOW_MS = 1_782_000_000_000
NOW_S = NOW_MS // 1000
ISO, DAY, TEXT = "2026-06-21T00:00:00Z", "2026-06-20", "2026-06-21 00:00:00"
Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Recording:
    """
    Hold what a source answers when it is asked for some pairs, each of which costs 100.

    Attributes:
        answers: By path.
        prices: Where the price of each pair stands: the path, then the way within the answer.
    """

    name: str
    answers: Mapping[str, Any]
    prices: Mapping[Pair, Place]

    @property
    def pairs(self) -> list[Pair]:
        """Return the pairs."""
        return list(self.prices)


BTC, ETH = Pair("BTC", "USDT"), Pair("ETH", "USDT")
DOLLAR, ETHER = Pair("BTC", "USD"), Pair("ETH", "USD")


def _binance_row(base: str) -> dict[str, Any]:
    return {"symbol": f"{base}USDT", "price": "100.00"}


def _binance_info() -> dict[str, Any]:
    return {
        "timezone": "UTC",
        "symbols": [
            {
                "symbol": f"{base}USDT",
                "status": "TRADING",
                "baseAsset": base,
                "quoteAsset": "USDT",
                "isSpotTradingAllowed": True,
            }
            for base in ("BTC", "ETH")
        ],
    }


def _kraken_row() -> dict[str, Any]:
    side = ["100.1", "1", "1.000"]
    return {"a": side, "b": ["99.9", "1", "1.000"], "c": ["100", "0.1"], "v": ["1", "2"], "t": [5, 6], "o": "99"}


def _kraken_pair(name: str) -> dict[str, Any]:
    return {"altname": f"{name}USD", "wsname": f"{name}/USD", "base": name, "quote": "ZUSD", "status": "online"}


def _okx_row(base: str) -> dict[str, Any]:
    return {
        "instType": "SPOT",
        "instId": f"{base}-USDT",
        "last": "100",
        "askPx": "100.1",
        "bidPx": "99.9",
        "ts": str(NOW_MS),
    }


def _okx(data: object) -> dict[str, Any]:
    return {"code": "0", "msg": "", "data": data}


def _okx_instrument(base: str) -> dict[str, Any]:
    return {"instType": "SPOT", "instId": f"{base}-USDT", "baseCcy": base, "quoteCcy": "USDT", "state": "live"}


def _kucoin(data: object) -> dict[str, Any]:
    return {"code": "200000", "data": data}


def _kucoin_symbol(base: str) -> dict[str, Any]:
    return {
        "symbol": f"{base}-USDT",
        "name": f"{base}-USDT",
        "baseCurrency": base,
        "quoteCurrency": "USDT",
        "enableTrading": True,
    }


def _kucoin_row(base: str) -> dict[str, Any]:
    return {"symbol": f"{base}-USDT", "symbolName": f"{base}-USDT", "buy": "99.9", "sell": "100.1", "last": "100"}


def _bybit(*rows: object) -> dict[str, Any]:
    return {"retCode": 0, "retMsg": "OK", "result": {"category": "spot", "list": list(rows)}, "time": NOW_MS}


def _bybit_row(base: str) -> dict[str, Any]:
    return {"symbol": f"{base}USDT", "bid1Price": "99.9", "ask1Price": "100.1", "lastPrice": "100"}


def _bybit_instrument(base: str) -> dict[str, Any]:
    return {"symbol": f"{base}USDT", "baseCoin": base, "quoteCoin": "USDT", "status": "Trading"}


def _cadli(base: str) -> dict[str, Any]:
    return {
        "TYPE": "266",
        "MARKET": "cadli",
        "INSTRUMENT": f"{base}-USD",
        "VALUE": 100,
        "VALUE_LAST_UPDATE_TS": NOW_S,
    }


RECORDINGS = (
    Recording(
        "alphavantage",
        {
            "/query": {
                "Realtime Currency Exchange Rate": {
                    "1. From_Currency Code": "BTC",
                    "2. From_Currency Name": "Bitcoin",
                    "3. To_Currency Code": "USD",
                    "5. Exchange Rate": "100.00",
                    "6. Last Refreshed": TEXT,
                    "7. Time Zone": "UTC",
                    "8. Bid Price": "99.9",
                    "9. Ask Price": "-",
                }
            }
        },
        {DOLLAR: ("/query", "Realtime Currency Exchange Rate", "5. Exchange Rate")},
    ),
    Recording(
        "binance",
        {"/api/v3/exchangeInfo": _binance_info(), "/api/v3/ticker/price": _binance_row("BTC")},
        {BTC: ("/api/v3/ticker/price", "price")},
    ),
    Recording(
        "binance",
        {
            "/api/v3/exchangeInfo": _binance_info(),
            "/api/v3/ticker/price": [_binance_row("BTC"), _binance_row("ETH")],
        },
        {BTC: ("/api/v3/ticker/price", 0, "price"), ETH: ("/api/v3/ticker/price", 1, "price")},
    ),
    Recording(
        "bybit",
        {
            "/v5/market/instruments-info": _bybit(_bybit_instrument("BTC"), _bybit_instrument("ETH")),
            "/v5/market/tickers": _bybit(_bybit_row("BTC"), _bybit_row("ETH")),
        },
        {
            BTC: ("/v5/market/tickers", "result", "list", 0, "lastPrice"),
            ETH: ("/v5/market/tickers", "result", "list", 1, "lastPrice"),
        },
    ),
    Recording(
        "coinbase",
        {
            "/products": [
                {
                    "id": "BTC-USD",
                    "base_currency": "BTC",
                    "quote_currency": "USD",
                    "status": "online",
                    "trading_disabled": False,
                }
            ],
            "/products/BTC-USD/ticker": {"ask": "100.1", "bid": "99.9", "price": "100", "size": "1", "time": ISO},
        },
        {DOLLAR: ("/products/BTC-USD/ticker", "price")},
    ),
    Recording(
        "coingecko",
        {
            "/api/v3/simple/price": {
                "bitcoin": {"usd": 100, "last_updated_at": NOW_S},
                "ethereum": {"usd": 100, "last_updated_at": NOW_S},
            },
            "/api/v3/coins/list": [{"id": "bitcoin", "symbol": "btc"}, {"id": "ethereum", "symbol": "eth"}],
            "/api/v3/simple/supported_vs_currencies": ["usd", "eur"],
        },
        {
            Pair("bitcoin", "USD"): ("/api/v3/simple/price", "bitcoin", "usd"),
            Pair("ethereum", "USD"): ("/api/v3/simple/price", "ethereum", "usd"),
        },
    ),
    Recording(
        "cryptocompare",
        {"/index/cc/v1/latest/tick": {"Data": {"BTC-USD": _cadli("BTC"), "ETH-USD": _cadli("ETH")}, "Err": {}}},
        {
            DOLLAR: ("/index/cc/v1/latest/tick", "Data", "BTC-USD", "VALUE"),
            ETHER: ("/index/cc/v1/latest/tick", "Data", "ETH-USD", "VALUE"),
        },
    ),
    Recording(
        "exchangeratehost",
        {
            "/live": {"success": True, "timestamp": NOW_S, "source": "USD", "quotes": {"USDJPY": 100, "USDINR": 100}},
            "/list": {"success": True, "currencies": {"USD": "Dollar", "JPY": "Yen", "INR": "Rupee"}},
        },
        {Pair("USD", "JPY"): ("/live", "quotes", "USDJPY"), Pair("USD", "INR"): ("/live", "quotes", "USDINR")},
    ),
    Recording(
        "finnhub",
        {
            "/api/v1/crypto/symbol": [{"displaySymbol": "BTC/USDT", "symbol": "BINANCE:BTCUSDT"}],
            "/api/v1/forex/symbol": [{"displaySymbol": "EUR/USD", "symbol": "OANDA:EUR_USD"}],
            "/api/v1/quote": {"c": 100, "d": 1, "dp": 1, "h": 101, "l": 99, "o": 99, "pc": 99, "t": NOW_S},
        },
        {BTC: ("/api/v1/quote", "c")},
    ),
    Recording(
        "frankfurter",
        {
            "/v1/latest": {"amount": 1.0, "base": "EUR", "date": DAY, "rates": {"JPY": 100, "INR": 100}},
            "/v1/currencies": {"EUR": "Euro", "JPY": "Yen", "INR": "Rupee"},
        },
        {Pair("EUR", "JPY"): ("/v1/latest", "rates", "JPY"), Pair("EUR", "INR"): ("/v1/latest", "rates", "INR")},
    ),
    Recording(
        "kraken",
        {
            "/0/public/AssetPairs": {
                "error": [],
                "result": {"XXBTZUSD": _kraken_pair("XBT"), "XETHZUSD": _kraken_pair("ETH")},
            },
            "/0/public/Ticker": {"error": [], "result": {"XXBTZUSD": _kraken_row(), "XETHZUSD": _kraken_row()}},
        },
        {
            DOLLAR: ("/0/public/Ticker", "result", "XXBTZUSD", "c", 0),
            ETHER: ("/0/public/Ticker", "result", "XETHZUSD", "c", 0),
        },
    ),
    Recording(
        "kucoin",
        {
            "/api/v2/symbols": _kucoin([_kucoin_symbol("BTC")]),
            "/api/v1/market/orderbook/level1": _kucoin(
                {"time": NOW_MS, "sequence": "1", "price": "100", "bestBid": "99.9", "bestAsk": "100.1"}
            ),
        },
        {BTC: ("/api/v1/market/orderbook/level1", "data", "price")},
    ),
    Recording(
        "kucoin",
        {
            "/api/v2/symbols": _kucoin([_kucoin_symbol("BTC"), _kucoin_symbol("ETH")]),
            "/api/v1/market/orderbook/level1": _kucoin({"time": NOW_MS, "price": "100"}),
            "/api/v1/market/allTickers": _kucoin({"time": NOW_MS, "ticker": [_kucoin_row("BTC"), _kucoin_row("ETH")]}),
        },
        {
            BTC: ("/api/v1/market/allTickers", "data", "ticker", 0, "last"),
            ETH: ("/api/v1/market/allTickers", "data", "ticker", 1, "last"),
        },
    ),
    Recording(
        "okx",
        {
            "/api/v5/public/instruments": _okx([_okx_instrument("BTC")]),
            "/api/v5/market/ticker": _okx([_okx_row("BTC")]),
        },
        {BTC: ("/api/v5/market/ticker", "data", 0, "last")},
    ),
    Recording(
        "okx",
        {
            "/api/v5/public/instruments": _okx([_okx_instrument("BTC"), _okx_instrument("ETH")]),
            "/api/v5/market/ticker": _okx([_okx_row("BTC"), _okx_row("ETH")]),
            "/api/v5/market/tickers": _okx([_okx_row("BTC"), _okx_row("ETH")]),
        },
        {
            BTC: ("/api/v5/market/tickers", "data", 0, "last"),
            ETH: ("/api/v5/market/tickers", "data", 1, "last"),
        },
    ),
    Recording(
        "yahoofinance",
        {
            "/v8/finance/chart/AAPL": {
                "chart": {
                    "result": [
                        {
                            "meta": {
                                "currency": "USD",
                                "symbol": "AAPL",
                                "instrumentType": "EQUITY",
                                "regularMarketTime": NOW_S,
                                "regularMarketPrice": 100,
                                "currentTradingPeriod": {"regular": {"start": NOW_S - 3_600, "end": NOW_S + 3_600}},
                            },
                            "timestamp": [],
                        }
                    ],
                    "error": None,
                }
            }
        },
        {Pair("AAPL", "USD"): ("/v8/finance/chart/AAPL", "chart", "result", 0, "meta", "regularMarketPrice")},
    ),
)


class RecordedClient(SourceClient):
    """Give answers without a network."""

    def __init__(self, name: str, clock: ManualClock, answers: Mapping[str, Any]) -> None:
        super().__init__(cast(aiohttp.ClientSession, None), DECLARATIONS[name], clock)
        self.answers = dict(answers)

    async def get(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        limiter: RateLimiter,
        reads: Collection[int] = (),
        most_bytes: int = LONGEST_BODY_BYTES,
    ) -> Answer:
        """Return what was recorded."""
        return Answer(200, self.answers[path])


def source_of(recording: Recording, answers: Mapping[str, Any]) -> Source:
    """Return a source whose provider gives these answers, at the time of the recording."""
    clock = ManualClock(NOW_MS)
    return MAKERS[recording.name](RecordedClient(recording.name, clock, answers), clock)


def read(recording: Recording) -> dict[str, Any]:
    """Return the answers as a client would have read them."""
    return {path: loads(json.dumps(answer)) for path, answer in recording.answers.items()}
