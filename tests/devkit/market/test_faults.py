"""What is wrong on command is wrong in each source's own form."""

import re
from decimal import Decimal

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
