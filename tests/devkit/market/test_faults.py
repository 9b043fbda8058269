"""What is wrong on command is wrong in each source's own form."""

import json
import re
from decimal import Decimal
from email.utils import parsedate_to_datetime

import pytest
from aiohttp.test_utils import TestClient
from aiohttp.web import Application, Request

from devkit.market.sources import DIALECTS
from tests.devkit.market.conftest import NOW_MS

Market = TestClient[Request, Application]
# For each source one call and how its answer shows the price and, where it tells one, the time.
CALLS = {
    "binance": ("/api/v3/ticker/price?symbol=BTCUSDT", r'"price":"([^"]+)"', None),
    "okx": ("/api/v5/market/ticker?instId=BTC-USDT", r'"last":"([^"]+)"', r'"ts":"(\d+)"'),
    "coingecko": (
        "/api/v3/simple/price?ids=bitcoin&vs_currencies=usd&precision=full&include_last_updated_at=true",
        r'"usd":([^,}]+)',
        r'"last_updated_at":(\d+)',
    ),
    "kraken": ("/0/public/Ticker?pair=XBTUSD", r'"c":\["([^"]+)"', None),
    "coinbase": ("/products/BTC-USD/ticker", r'"price":"([^"]+)"', None),
    "cryptocompare": (
        "/index/cc/v1/latest/tick?market=cadli&instruments=BTC-USD&api_key=k",
        r'"VALUE":([^,}]+)',
        r'"VALUE_LAST_UPDATE_TS":(\d+)',
    ),
    "finnhub": ("/api/v1/quote?symbol=BINANCE:BTCUSDT&token=k", r'"c":([^,}]+)', r'"t":(\d+)'),
    "alphavantage": (
        "/query?function=CURRENCY_EXCHANGE_RATE&from_currency=BTC&to_currency=USD&apikey=k",
        r'"5. Exchange Rate":"([^"]+)"',
        None,
    ),
    "exchangeratehost": ("/live?access_key=k&source=EUR&currencies=USD", r'"EURUSD":([^,}]+)', r'"timestamp":(\d+)'),
    "frankfurter": ("/v1/latest?base=EUR&symbols=USD", r'"USD":([^,}]+)', None),
    "yahoofinance": ("/v8/finance/chart/BTC-USD", r'"regularMarketPrice":([^,}]+)', r'"regularMarketTime":(\d+)'),
    "kucoin": ("/api/v1/market/orderbook/level1?symbol=BTC-USDT", r'"price":"([^"]+)"', r'"time":(\d+)'),
    "bybit": ("/v5/market/tickers?category=spot&symbol=BTCUSDT", r'"lastPrice":"([^"]+)"', r'"time":(\d+)'),
}
SOURCES = [dialect.source for dialect in DIALECTS]


async def body(market: Market, source: str) -> str:
    """Return the text of the source's answer."""
    async with market.get(f"/{source}{CALLS[source][0]}") as response:
        return await response.text()


async def shown(market: Market, source: str, **fault: object) -> str:
    """Return the price as the source shows it, with a fault."""
    async with market.post(f"/control/{source}", json=fault) as response:
        assert 200 == response.status, await response.text()
    found = re.search(CALLS[source][1], text := await body(market, source))
    assert found, text
    return found[1]


@pytest.mark.parametrize("source", SOURCES)
async def test_numbers_are_wrong_as_wanted(market: Market, source: str) -> None:
    """Zero, negative, NaN, huge and exponent texts arrive in the place of the price; afterwards it is right again."""
    right = await shown(market, source)

    assert Decimal(0) == Decimal(await shown(market, source, number="zero"))
    assert Decimal(await shown(market, source, number="negative")) < 0
    assert "NaN" == await shown(market, source, number="nan")
    assert Decimal(await shown(market, source, number="huge")) > 10**40
    exponent = await shown(market, source, number="exponent")
    assert "E" in exponent
    assert abs(Decimal(exponent) / Decimal(right) - 1) < Decimal("0.001")
    assert right == await shown(market, source)


@pytest.mark.parametrize("source", SOURCES)
async def test_outliers_are_the_price_times_a_factor(market: Market, source: str) -> None:
    """A factor multiplies the price."""
    right, wrong = await shown(market, source), await shown(market, source, factor=1.5)

    assert abs(Decimal(wrong) / Decimal(right) - Decimal("1.5")) < Decimal("0.001")


@pytest.mark.parametrize("source", [source for source in SOURCES if CALLS[source][2]])
async def test_stale_times(market: Market, source: str) -> None:
    """The time that a source tells is moved, its price is not."""
    pattern = CALLS[source][2] or ""
    right = await shown(market, source)
    before = re.search(pattern, await body(market, source))
    still = await shown(market, source, shift_ms=-3_600_000)
    after = re.search(pattern, await body(market, source))

    assert before
    assert after
    unit = 1 if int(before[1]) > NOW_MS / 10 else 1000
    assert -3_600_000 == (int(after[1]) - int(before[1])) * unit
    assert right == still


async def test_only_some_pairs_are_wrong(market: Market) -> None:
    """With pairs named the others stay right."""
    right = await shown(market, "binance")

    assert right == await shown(market, "binance", factor=2, pairs=["ETH/USDT"])
    assert right != await shown(market, "binance", factor=2, pairs=["BTC/USDT"])


@pytest.mark.parametrize("source", SOURCES)
async def test_bodies_are_cut_in_half(market: Market, source: str) -> None:
    """A malformed answer is the first half of the true one."""
    whole = await body(market, source)
    async with market.post(f"/control/{source}", json={"malformed": True}):
        pass

    assert whole[: len(whole) // 2] == await body(market, source)


async def test_control_of_all(market: Market) -> None:
    """One call shows every source, one mends them all."""
    for source in SOURCES:
        await shown(market, source, factor=2)
    async with market.get("/control") as response:
        broken = await response.json()
    async with market.delete("/control") as response:
        mended = await response.json()

    assert dict.fromkeys(SOURCES, "2") == {name: state["fault"]["factor"] for name, state in broken.items()}
    assert dict.fromkeys(SOURCES, 1) == {name: state["requests"] for name, state in broken.items()}
    assert [{}] * 13 == [state["fault"] for state in mended.values()]


async def test_a_wrong_unit_keeps_its_digits(market: Market) -> None:
    """A price shifted by eight places is no zero, and an inverted one is one divided by it."""
    right = Decimal(await shown(market, "kraken"))
    shifted = Decimal(await shown(market, "kraken", factor="0.00000001"))
    inverted = Decimal(await shown(market, "kraken", inverted=True))

    assert abs(shifted / right * 10**8 - 1) < Decimal("0.001")
    assert abs(inverted * right - 1) < Decimal("0.001")


async def test_a_currency_is_named_wrong(market: Market) -> None:
    """A line in pence says that it is in pounds, and its number stays in pence."""
    path = "/yahoofinance/v8/finance/chart/VOD.L"
    async with market.get(path) as response:
        pence = (await response.json())["chart"]["result"][0]["meta"]
    async with market.post("/control/yahoofinance", json={"currency": "GBP"}):
        pass
    async with market.get(path) as response:
        pounds = (await response.json())["chart"]["result"][0]["meta"]

    assert ("GBp", "GBP") == (pence["currency"], pounds["currency"])
    assert abs(pounds["regularMarketPrice"] / pence["regularMarketPrice"] - 1) < 0.01


# For each exchange its list of markets, and how a market that nobody trades is told there.
LISTINGS = {
    "binance": ("/api/v3/exchangeInfo?symbol=BTCUSDT", '"status":"BREAK"'),
    "okx": ("/api/v5/public/instruments?instType=SPOT&instId=BTC-USDT", '"state":"suspend"'),
    "kraken": ("/0/public/AssetPairs?pair=XBTUSD", '"status":"cancel_only"'),
    "coinbase": ("/products/BTC-USD", '"trading_disabled":true'),
    "kucoin": ("/api/v2/symbols/BTC-USDT", '"enableTrading":false'),
    "bybit": ("/v5/market/instruments-info?category=spot&symbol=BTCUSDT", '"status":"Closed"'),
}


async def set_fault(market: Market, source: str, **fault: object) -> None:
    """Break a source."""
    async with market.post(f"/control/{source}", json=fault) as response:
        assert 200 == response.status, await response.text()


@pytest.mark.parametrize("source", LISTINGS)
async def test_a_halt_is_told_by_the_listing_only(market: Market, source: str) -> None:
    """The price goes on as if nothing had happened, and other markets are traded."""
    path, told = LISTINGS[source]
    for fault, expected in (({}, False), ({"halted": True}, True), ({"halted": True, "pairs": ["X/Y"]}, False)):
        await set_fault(market, source, **fault)
        async with market.get(f"/{source}{path}") as response:
            assert expected is (told in await response.text())
        assert re.search(CALLS[source][1], await body(market, source))


@pytest.mark.parametrize("source", SOURCES)
async def test_an_answer_may_come_out_of_a_cache(market: Market, source: str) -> None:
    """Age and Date tell it; without the fault the Date is the market's time."""
    for age_s in (0, 600):
        await set_fault(market, source, age_s=age_s)
        async with market.get(f"/{source}{CALLS[source][0]}") as response:
            sent_s = parsedate_to_datetime(response.headers["Date"]).timestamp()
            assert NOW_MS // 1000 - age_s == sent_s
            assert (str(age_s) if age_s else None) == response.headers.get("Age")


@pytest.mark.parametrize("source", SOURCES)
async def test_a_limit_may_ask_for_any_wait(market: Market, source: str) -> None:
    """What Retry-After says is on command."""
    await set_fault(market, source, limit=True, retry_after="0")
    async with market.get(f"/{source}{CALLS[source][0]}") as response:
        assert "0" == response.headers["Retry-After"]


@pytest.mark.parametrize("source", LISTINGS)
async def test_a_null_among_the_rows(market: Market, source: str) -> None:
    """It stands before good ones, whose numbers keep their digits."""
    path = LISTINGS[source][0]
    path = "/products" if source == "coinbase" else path.partition("?symbol")[0].partition("&")[0].partition("?pair")[0]
    path = "/api/v2/symbols" if source == "kucoin" else path
    await set_fault(market, source, bad_rows=True)
    async with market.get(f"/{source}{path}") as response:
        assert "null" in await response.text()


async def test_all_connections_are_told_a_text(market: Market) -> None:
    """Whatever is to be said is sent as it stands; a source without a stream has nobody to tell."""
    async with market.ws_connect("/kraken/ws/v2") as ws:
        await ws.receive()
        async with market.post("/control/kraken/say", json={"text": '{"odd":'}) as response:
            assert {"told": 1} == await response.json()
        assert '{"odd":' == (await ws.receive()).data
    async with market.post("/control/frankfurter/say", json={"text": "x"}) as response:
        assert 400 <= response.status < 500


async def test_bodies_are_odd_on_command(market: Market) -> None:
    """Other values, lists for numbers, rows left out, keys told twice; what is not touched keeps its digits."""

    async def told(**fault: object) -> str:
        await set_fault(market, "binance", **fault)
        async with market.get("/binance/api/v3/ticker/price") as response:
            return await response.text()

    rows = json.loads(await told())
    renamed, listed = json.loads(await told(fields={"symbol": "ETHBTC"})), json.loads(await told(odd_types=True))
    cut, doubled = json.loads(await told(keep_rows=1)), await told(doubled=True)

    assert len(rows) > 1
    assert {"ETHBTC"} == {row["symbol"] for row in renamed}
    assert [row["price"] for row in rows] == [row["price"] for row in renamed]
    assert [[row["price"]] for row in rows] == [row["price"] for row in listed]
    assert rows[:1] == cut
    assert 2 * len(rows) == doubled.count('"price":')


async def test_a_redirect_leads_where_it_is_told(market: Market) -> None:
    """With the status and the place on command."""
    await set_fault(market, "okx", status=301, location="https://elsewhere.example/")
    async with market.get("/okx/api/v5/market/ticker", allow_redirects=False) as response:
        assert (301, "https://elsewhere.example/") == (response.status, response.headers["Location"])
