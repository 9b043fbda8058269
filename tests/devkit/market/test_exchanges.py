"""OKX, KuCoin and Bybit answer REST calls as they document."""

from decimal import Decimal
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from aiohttp.web import Application, Request

from tests.devkit.market.asking import get, is_near
from tests.devkit.market.conftest import NOW_MS

Market = TestClient[Request, Application]
TICKER = [
    *("instType", "instId", "last", "lastSz", "askPx", "askSz", "bidPx", "bidSz", "open24h", "high24h", "low24h"),
    *("volCcy24h", "vol24h", "ts", "sodUtc0", "sodUtc8"),
]
TICK_MS = NOW_MS - NOW_MS % 250


# OKX


async def test_okx_ticker(market: Market) -> None:
    """One instrument gives a list of one, with text prices and the time of the ticker as text."""
    status, body = await get(market, "/okx/api/v5/market/ticker", instId="BTC-USDT")
    (row,) = body["data"]

    assert (200, "0", "") == (status, body["code"], body["msg"])
    assert TICKER == list(row)
    assert ("SPOT", "BTC-USDT", str(TICK_MS)) == (row["instType"], row["instId"], row["ts"])
    assert Decimal(row["bidPx"]) <= Decimal(row["last"]) <= Decimal(row["askPx"])
    assert await is_near(market, "BTC/USDT", row["last"])


async def test_okx_tickers_are_the_live_instruments(market: Market) -> None:
    """The batch has every instrument of the listing that is live, and no other."""
    _, tickers = await get(market, "/okx/api/v5/market/tickers", instType="SPOT")
    _, listing = await get(market, "/okx/api/v5/public/instruments", instType="SPOT")
    live = {(i["instId"], i["baseCcy"], i["quoteCcy"]) for i in listing["data"] if i["state"] == "live"}

    assert ("BTC-USD", "BTC", "USD") in live
    assert len(live) < len(listing["data"])
    assert {name for name, _, _ in live} == {row["instId"] for row in tickers["data"]}


@pytest.mark.parametrize(
    ("path", "params", "status", "code"),
    [
        ("market/ticker", {"instId": "NOSUCH-USDT"}, 200, "51001"),
        ("market/ticker", {"instId": "btc-usdt"}, 200, "51001"),
        ("market/ticker", {"instId": "FTT-USDT"}, 200, "51001"),
        ("market/ticker", {}, 400, "50014"),
        ("market/tickers", {"instType": "MOON"}, 400, "51000"),
        ("public/instruments", {"instType": "SPOT", "instId": "NOSUCH-USDT"}, 200, "51001"),
    ],
)
async def test_okx_refuses_with_its_code(
    market: Market, path: str, params: dict[str, str], status: int, code: str
) -> None:
    """Unknown instruments are HTTP 200 with code 51001, bad parameters HTTP 400."""
    actual, body = await get(market, f"/okx/api/v5/{path}", **params)

    assert (status, code, []) == (actual, body["code"], body["data"])


async def test_okx_unknown_instrument_is_literal(market: Market) -> None:
    """The text is the documented one."""
    text = "Instrument ID, Instrument ID code, or Spread ID doesn't exist."

    assert (200, {"code": "51001", "data": [], "msg": text}) == await get(
        market, "/okx/api/v5/market/ticker", instId="NOSUCH-USDT"
    )


# KuCoin


async def test_kucoin_level1(market: Market) -> None:
    """One symbol gives last trade, both sides of the book and the time in ms, and the weight left in headers."""
    async with market.get("/kucoin/api/v1/market/orderbook/level1", params={"symbol": "BTC-USDT"}) as response:
        body = await response.json()

        assert ("2000", "1998") == tuple(response.headers[f"gw-ratelimit-{name}"] for name in ("limit", "remaining"))
    fields = ["time", "sequence", "price", "size", "bestBid", "bestBidSize", "bestAsk", "bestAskSize"]
    assert ("200000", fields, TICK_MS) == (body["code"], list(body["data"]), body["data"]["time"])
    assert await is_near(market, "BTC/USDT", body["data"]["price"])


async def test_kucoin_all_tickers_are_a_snapshot(market: Market) -> None:
    """The batch has all symbols that trade, at a time that is a multiple of two seconds."""
    _, body = await get(market, "/kucoin/api/v1/market/allTickers")
    _, listing = await get(market, "/kucoin/api/v2/symbols")
    trading = {s["symbol"] for s in listing["data"] if s["enableTrading"]}
    rows = {row["symbol"]: row for row in body["data"]["ticker"]}

    assert NOW_MS - NOW_MS % 2000 == body["data"]["time"]
    assert trading == set(rows)
    assert await is_near(market, "ENJ/ETH", rows["ENJ-ETH"]["last"])


@pytest.mark.parametrize(
    ("path", "status", "expected"),
    [
        (
            "v1/market/orderbook/level1?symbol=NO-SUCH",
            200,
            {"code": "900001", "msg": "Trading pair NO-SUCH does not exist."},
        ),
        ("v1/market/orderbook/level1?symbol=NOSUCH", 200, {"code": "200000", "data": None}),
        ("v1/market/orderbook/level1", 400, {"code": "400100", "msg": "symbol cannot be empty"}),
        ("v2/symbols/NO-SUCH", 200, {"code": "900001", "msg": "Trading pair NO-SUCH does not exist."}),
    ],
)
async def test_kucoin_unknown_symbols(market: Market, path: str, status: int, expected: object) -> None:
    """An unknown symbol has one of the three forms that were seen."""
    assert (status, expected) == await get(market, f"/kucoin/api/{path}")


# Bybit


async def test_bybit_ticker(market: Market) -> None:
    """One symbol gives a list of one in the envelope, whose time is that of the answer."""
    status, body = await get(market, "/bybit/v5/market/tickers", category="spot", symbol="BTCUSDT")
    (row,) = body["result"]["list"]

    assert (200, ["retCode", "retMsg", "result", "retExtInfo", "time"]) == (status, list(body))
    assert (0, "OK", "spot", NOW_MS) == (body["retCode"], body["retMsg"], body["result"]["category"], body["time"])
    assert {"symbol", "bid1Price", "ask1Price", "lastPrice", "usdIndexPrice"} <= row.keys()
    assert Decimal(row["bid1Price"]) <= Decimal(row["lastPrice"]) <= Decimal(row["ask1Price"])
    assert await is_near(market, "BTC/USDT", row["lastPrice"])


async def test_bybit_tickers_are_the_instruments(market: Market) -> None:
    """Without a symbol all instruments of the listing have a ticker."""
    _, tickers = await get(market, "/bybit/v5/market/tickers", category="spot")
    _, listing = await get(market, "/bybit/v5/market/instruments-info", category="spot", limit="1000")
    pairs = {i["symbol"]: (i["baseCoin"], i["quoteCoin"], i["status"]) for i in listing["result"]["list"]}

    assert ("METH", "ETH", "Trading") == pairs["METHETH"]
    assert set(pairs) == {row["symbol"] for row in tickers["result"]["list"]}


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"category": "spot", "symbol": "NOSUCHUSDT"}, "Not supported symbols"),
        ({"symbol": "BTCUSDT"}, "params error: Category is invalid"),
    ],
)
async def test_bybit_refuses_with_10001(market: Market, params: dict[str, str], text: str) -> None:
    """Unknown symbols and bad parameters are HTTP 200 with one code, told apart by the text."""
    expected = {"retCode": 10001, "retMsg": text, "result": {}, "retExtInfo": {}, "time": NOW_MS}

    assert (200, expected) == await get(market, "/bybit/v5/market/tickers", **params)


async def test_bybit_listing_of_an_unknown_symbol_is_empty(market: Market) -> None:
    """instruments-info knows no error for it."""
    _, body = await get(market, "/bybit/v5/market/instruments-info", category="spot", symbol="NOSUCHUSDT")

    assert (0, []) == (body["retCode"], body["result"]["list"])


# Limits


@pytest.mark.parametrize(
    ("path", "limit", "status", "expected"),
    [
        ("/okx/api/v5/market/ticker", True, 429, {"code": "50011", "data": [], "msg": "Too Many Requests"}),
        ("/kucoin/api/v2/symbols", True, 429, {"code": "429000", "msg": "Too Many Requests"}),
        ("/kucoin/api/v2/symbols", "overload", 200, {"code": "429000", "msg": "Too Many Requests"}),
        ("/bybit/v5/market/time", True, 403, "403, access too frequent. Please try your request later."),
    ],
)
async def test_limit_answers(market: Market, path: str, limit: bool | str, status: int, expected: Any) -> None:
    """Each has its own limit answer, or the one that was named."""
    async with market.post(f"/control/{path.split('/')[1]}", json={"limit": limit}):
        pass
    async with market.get(path) as response:
        actual = await response.text() if isinstance(expected, str) else await response.json()

    assert (status, expected) == (response.status, actual)


async def test_bybit_visits_limit_is_inside_a_200(market: Market) -> None:
    """The limit of visits is retCode 10006."""
    async with market.post("/control/bybit", json={"limit": "visits"}):
        pass

    status, body = await get(market, "/bybit/v5/market/time")
    assert (200, 10006, "Too many visits!") == (status, body["retCode"], body["retMsg"])
