"""The answers have the shapes that the exchanges document."""

import re
from decimal import Decimal
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from aiohttp.web import Application, Request

from devkit.market.dialects.dialect import Dialect
from devkit.market.dialects.kraken import internal_name
from devkit.market.process import Pair, PriceProcess
from devkit.market.sources import DIALECTS
from devkit.market.venue import Venue
from meshkit import feeds
from meshkit.clock import ManualClock
from tests.devkit.market.conftest import NOW_MS

Market = TestClient[Request, Application]


async def get(market: Market, path: str, **params: str) -> tuple[int, Any]:
    """Return status and JSON of a GET."""
    async with market.get(path, params=params) as response:
        return response.status, await response.json()


async def reference(market: Market, pair: str) -> Decimal:
    """Return the reference price now."""
    _, body = await get(market, "/reference", pairs=pair)
    return Decimal(body["prices"][pair])


def within_5_bps(expected: Decimal, actual: str) -> bool:
    """Tell whether a price is one an exchange may have."""
    return abs(Decimal(actual) / expected - 1) < Decimal("0.0005")


# Binance


async def test_binance_price_of_one_symbol(market: Market) -> None:
    """One symbol gives an object of symbol and a price with eight decimals, and costs weight 2."""
    async with market.get("/binance/api/v3/ticker/price", params={"symbol": "BTCUSDT"}) as response:
        body = await response.json()

        assert {"symbol": "BTCUSDT", "price": body["price"]} == body
        assert "2" == response.headers["X-MBX-USED-WEIGHT-1M"]
    assert re.fullmatch(r"\d+\.\d{8}", body["price"])
    assert within_5_bps(await reference(market, "BTC/USDT"), body["price"])


async def test_binance_prices_of_many_symbols(market: Market) -> None:
    """A JSON list of symbols gives a list in the same order."""
    status, body = await get(market, "/binance/api/v3/ticker/price", symbols='["ETHUSDT","BTCUSDT"]')

    assert (200, ["ETHUSDT", "BTCUSDT"]) == (status, [row["symbol"] for row in body])


async def test_binance_list_of_one_stays_a_list(market: Market) -> None:
    """The form of the answer follows the parameter, not the number of symbols."""
    _, body = await get(market, "/binance/api/v3/ticker/price", symbols='["ETHUSDT"]')

    assert ["ETHUSDT"] == [row["symbol"] for row in body]


async def test_binance_listing_maps_symbols_to_pairs(market: Market) -> None:
    """The listing has exactly the symbols that ticker/price gives for all, with base, quote and status."""
    _, info = await get(market, "/binance/api/v3/exchangeInfo")
    _, prices = await get(market, "/binance/api/v3/ticker/price")
    listed = {s["symbol"]: (s["baseAsset"], s["quoteAsset"], s["status"]) for s in info["symbols"]}

    assert ("1INCH", "USDT", "TRADING") == listed["1INCHUSDT"]
    assert ("MATIC", "USDT", "BREAK") == listed["MATICUSDT"]
    assert set(listed) == {row["symbol"] for row in prices}


async def test_binance_status_filter_drops_what_does_not_trade(market: Market) -> None:
    """symbolStatus=TRADING leaves out a symbol in a break."""
    _, body = await get(
        market, "/binance/api/v3/ticker/price", symbols='["BTCUSDT","MATICUSDT"]', symbolStatus="TRADING"
    )

    assert ["BTCUSDT"] == [row["symbol"] for row in body]


async def test_binance_day_ticker_has_book_and_window(market: Market) -> None:
    """ticker/24hr has the last price between bid and ask and a window of a day that ends now."""
    _, body = await get(market, "/binance/api/v3/ticker/24hr", symbol="BTCUSDT")

    assert Decimal(body["bidPrice"]) <= Decimal(body["lastPrice"]) <= Decimal(body["askPrice"])
    assert (NOW_MS - 86_400_000, NOW_MS) == (body["openTime"], body["closeTime"])


async def test_binance_book_ticker_shape(market: Market) -> None:
    """ticker/bookTicker has both sides of the book."""
    _, body = await get(market, "/binance/api/v3/ticker/bookTicker", symbol="BTCUSDT")

    assert ["symbol", "bidPrice", "bidQty", "askPrice", "askQty"] == list(body)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"symbol": "NOSUCHUSDT"}, -1121),
        ({"symbols": '["BTCUSDT","NOSUCHUSDT"]'}, -1121),
        ({"symbol": "btcusdt"}, -1100),
        ({"symbols": "BTCUSDT"}, -1100),
        ({"symbols": "[1]"}, -1100),
        ({"symbol": "BTCUSDT", "symbols": '["BTCUSDT"]'}, -1128),
        ({"symbol": "MATICUSDT", "symbolStatus": "TRADING"}, -1220),
    ],
)
async def test_binance_refuses_with_its_code(market: Market, params: dict[str, str], code: int) -> None:
    """Bad symbols give HTTP 400 and Binance's own code; one unknown name fails the whole list."""
    status, body = await get(market, "/binance/api/v3/ticker/price", **params)

    assert (400, code) == (status, body["code"])


async def test_binance_unknown_symbol_is_literal(market: Market) -> None:
    """The answer to an unknown symbol is the documented object."""
    _, body = await get(market, "/binance/api/v3/ticker/price", symbol="NOSUCHUSDT")

    assert {"code": -1121, "msg": "Invalid symbol."} == body


# Kraken


async def test_kraken_answers_under_the_internal_name(market: Market) -> None:
    """Whatever spelling is asked, the result's key is the internal one, and it has all fields of a ticker."""
    spellings = ("XBTUSD", "BTCUSD", "XXBTZUSD", "XBT/USD", "BTC/USD")
    for spelling in spellings:
        status, body = await get(market, "/kraken/0/public/Ticker", pair=spelling)

        assert (200, [], ["XXBTZUSD"]) == (status, body["error"], list(body["result"]))
    ticker = body["result"]["XXBTZUSD"]
    assert list("abcvptlho") == list(ticker)
    assert [3, 3, 2, 2, 2, 2, 2, 2] == [len(ticker[key]) for key in "abcvptlh"]
    assert Decimal(ticker["b"][0]) <= Decimal(ticker["c"][0]) <= Decimal(ticker["a"][0])
    assert within_5_bps(await reference(market, "BTC/USD"), ticker["c"][0])


async def test_kraken_batch(market: Market) -> None:
    """A comma list gives each pair once, under its internal name."""
    _, body = await get(market, "/kraken/0/public/Ticker", pair="XBTUSD,ETHUSD,DOGEUSD,EURUSD,ADAUSD,BTCUSD,USDTUSD")

    assert ["XXBTZUSD", "XETHZUSD", "XDGUSD", "ZEURZUSD", "ADAUSD", "USDTZUSD"] == list(body["result"])


async def test_kraken_without_pair_gives_all_markets(market: Market) -> None:
    """Ticker without a pair has the keys of AssetPairs, but for dark pools, which have no name on the stream."""
    _, tickers = await get(market, "/kraken/0/public/Ticker")
    _, pairs = await get(market, "/kraken/0/public/AssetPairs")
    dark = pairs["result"].keys() - tickers["result"].keys()

    assert {"XXBTZUSD.d", "XXBTZEUR.d", "XETHZUSD.d", "XETHZEUR.d"} == dark
    assert [] == [name for name, row in pairs["result"].items() if ("wsname" in row) == (name in dark)]


async def test_kraken_listing_has_the_three_spellings(market: Market) -> None:
    """AssetPairs tells altname, wsname, base and quote of Kraken's odd names."""
    _, body = await get(market, "/kraken/0/public/AssetPairs", pair="XDGUSD,XXBTZUSD,ADAEUR")
    names = ("altname", "wsname", "base", "quote", "status")

    assert {
        "XDGUSD": ("XDGUSD", "XDG/USD", "XXDG", "ZUSD", "online"),
        "XXBTZUSD": ("XBTUSD", "XBT/USD", "XXBT", "ZUSD", "online"),
        "ADAEUR": ("ADAEUR", "ADA/EUR", "ADA", "ZEUR", "online"),
    } == {key: tuple(info[name] for name in names) for key, info in body["result"].items()}


async def test_kraken_unknown_pair_fails_the_whole_list(market: Market) -> None:
    """One unknown pair is HTTP 200 with the error and no result."""
    actual = await get(market, "/kraken/0/public/Ticker", pair="XBTUSD,NOSUCHUSD")

    assert (200, {"error": ["EQuery:Unknown asset pair"]}) == actual


@pytest.mark.parametrize(
    ("pair", "name"),
    [
        ("BTC/EUR", "XXBTZEUR"),
        ("ETH/BTC", "XETHXXBT"),
        ("XMR/USD", "XXMRZUSD"),
        ("GBP/USD", "ZGBPZUSD"),
        ("USD/JPY", "ZUSDZJPY"),
        ("EUR/GBP", "EURGBP"),
        ("AUD/USD", "AUDUSD"),
        ("BTC/USDT", "XBTUSDT"),
        ("DOGE/BTC", "XDGXBT"),
        ("SOL/USD", "SOLUSD"),
    ],
)
def test_kraken_internal_names(pair: str, name: str) -> None:
    """Old assets are prefixed against old quotes, newer pairs are not."""
    assert name == internal_name(Pair.parse(pair))


# Coinbase


async def test_coinbase_ticker(market: Market) -> None:
    """A ticker has the documented fields, and the time of the trade with milliseconds."""
    status, body = await get(market, "/coinbase/products/BTC-USD/ticker")

    assert (200, ["ask", "bid", "volume", "trade_id", "price", "size", "time"]) == (status, list(body))
    assert isinstance(body["trade_id"], int)
    assert "2023-11-14T22:13:20.000Z" == body["time"]
    assert Decimal(body["bid"]) <= Decimal(body["price"]) <= Decimal(body["ask"])
    assert within_5_bps(await reference(market, "BTC/USD"), body["price"])


async def test_coinbase_products(market: Market) -> None:
    """The listing has id, base, quote and status of each product, and each product can be asked alone."""
    _, products = await get(market, "/coinbase/products")
    listed = {product["id"]: product for product in products}

    assert ("BTC", "USD", "online") == tuple(
        listed["BTC-USD"][key] for key in ("base_currency", "quote_currency", "status")
    )
    assert (200, listed["BTC-USD"]) == await get(market, "/coinbase/products/BTC-USD")


@pytest.mark.parametrize("path", ["NOSUCH-USD/ticker", "btc-usd/ticker", "NOSUCH-USD"])
async def test_coinbase_unknown_product(market: Market, path: str) -> None:
    """An unknown product is HTTP 404 with a message."""
    assert (404, {"message": "NotFound"}) == await get(market, f"/coinbase/products/{path}")


# All


def names(dialect: type[Dialect]) -> set[str]:
    """Return what a feed may ask a source for, as BASE/QUOTE."""
    markets = dialect(Venue(dialect.source, PriceProcess(42)), ManualClock()).markets
    if dialect.source == "coingecko":
        return {name.lower() for name in markets}
    if dialect.source == "yahoofinance":
        return {f"{name}/{market.pair.quote}".lower() for name, market in markets.items()}
    return {str(market.pair).lower() for market in markets.values()}


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.source)
def test_every_pair_of_the_known_feeds_is_listed(dialect: type[Dialect]) -> None:
    """Whatever pair a known feed asks a source for, the source lists it."""
    listed = names(dialect)
    asked = [
        f"{base}/{quote}"
        for feed in feeds.load().values()
        for source, (base, quote) in feed.sources.items()
        if source == dialect.source
    ]

    assert [] == [pair for pair in asked if pair.lower() not in listed]


@pytest.mark.parametrize(
    "path",
    [
        "/binance/api/v3/ping",
        "/binance/api/v3/time",
        "/kraken/0/public/Time",
        "/kraken/0/public/SystemStatus",
        "/coinbase/time",
    ],
)
async def test_small_endpoints_answer(market: Market, path: str) -> None:
    """The endpoints that clients probe answer 200 with JSON."""
    status, _ = await get(market, path)

    assert 200 == status
