"""CoinGecko, CryptoCompare, Finnhub and Yahoo Finance answer REST calls as they document."""

from decimal import Decimal

import pytest
from aiohttp.test_utils import TestClient
from aiohttp.web import Application, Request

from tests.devkit.market.asking import get, is_near
from tests.devkit.market.conftest import NOW_MS

Market = TestClient[Request, Application]
TICK_S = NOW_MS // 1000


# CoinGecko

PRICE = "/coingecko/api/v3/simple/price"


async def test_coingecko_is_a_cross_product(market: Market) -> None:
    """Each coin has each currency as a JSON number, and one time of its own that is at most 20 s old."""
    status, body = await get(
        market,
        PRICE,
        ids="bitcoin,ethereum",
        vs_currencies="usd,EUR",
        include_last_updated_at="true",
        precision="full",
    )

    assert (200, ["bitcoin", "ethereum"]) == (status, list(body))
    assert ["usd", "eur", "last_updated_at"] == list(body["bitcoin"])
    assert isinstance(body["bitcoin"]["usd"], Decimal)
    assert 0 <= TICK_S - body["bitcoin"]["last_updated_at"] < 20
    assert await is_near(market, "BTC/USD", body["bitcoin"]["usd"], "0.003")


async def test_coingecko_rounds_without_precision(market: Market) -> None:
    """Only precision=full gives more than six digits; the time comes only when asked for."""
    _, full = await get(market, PRICE, ids="bitcoin", vs_currencies="usd", precision="full")
    _, short = await get(market, PRICE, ids="bitcoin", vs_currencies="usd")

    assert 6 < len(full["bitcoin"]["usd"].as_tuple().digits)
    assert {"bitcoin": {"usd": round(full["bitcoin"]["usd"], 1)}} == short


@pytest.mark.parametrize(
    ("ids", "currencies", "expected"),
    [("nosuch", "usd", {}), ("Bitcoin", "usd", {}), ("bitcoin", "usdt", {"bitcoin": {}})],
)
async def test_coingecko_unknown_is_absent(market: Market, ids: str, currencies: str, expected: object) -> None:
    """Unknown ids and currencies are left out of an answer 200."""
    assert (200, expected) == await get(market, PRICE, ids=ids, vs_currencies=currencies)


async def test_coingecko_listings(market: Market) -> None:
    """Coins are ids with tickers that may repeat; currencies are in lower case and have no usdt."""
    _, coins = await get(market, "/coingecko/api/v3/coins/list")
    _, currencies = await get(market, "/coingecko/api/v3/simple/supported_vs_currencies")
    tickers = [coin["symbol"] for coin in coins]

    assert {"id": "bitcoin", "symbol": "btc", "name": "Bitcoin"} in coins
    assert 2 <= tickers.count("sol")
    assert (True, False) == ("usd" in currencies, "usdt" in currencies)


async def test_coingecko_global(market: Market) -> None:
    """The whole market has its size."""
    _, body = await get(market, "/coingecko/api/v3/global")

    assert {"active_cryptocurrencies", "markets", "total_market_cap", "total_volume"} <= body["data"].keys()


@pytest.mark.parametrize("name", ["x-cg-demo-api-key", "x-cg-pro-api-key"])
async def test_coingecko_key_is_optional_but_not_wrong(market: Market, name: str) -> None:
    """Any key passes but the refused one."""
    params = {"ids": "bitcoin", "vs_currencies": "usd"}
    statuses = []
    for key in ("good", "refused"):
        async with market.get(PRICE, params=params, headers={name: key}) as response:
            statuses.append(response.status)

    assert [200, 401] == statuses


# CryptoCompare

TICK = "/cryptocompare/index/cc/v1/latest/tick"


async def test_cryptocompare_index(market: Market) -> None:
    """Instruments that are known have a value with its time; those that are not are left out."""
    status, body = await get(market, TICK, market="cadli", instruments="BTC-USD,NO-SUCH,ETH-USD", api_key="k")
    row = body["Data"]["BTC-USD"]

    assert (200, ["BTC-USD", "ETH-USD"], {}) == (status, list(body["Data"]), body["Err"])
    assert ("266", "cadli", "BTC-USD", TICK_S) == tuple(
        row[key] for key in ("TYPE", "MARKET", "INSTRUMENT", "VALUE_LAST_UPDATE_TS")
    )
    assert await is_near(market, "BTC/USD", row["VALUE"])


async def test_cryptocompare_only_unknown_instruments_are_404(market: Market) -> None:
    """Nothing known is an error."""
    status, body = await get(market, TICK, market="cadli", instruments="NO-SUCH", api_key="k")

    assert (404, {}, 404) == (status, body["Data"], body["Err"]["http_status_code"])


async def test_cryptocompare_legacy_prices_have_four_digits(market: Market) -> None:
    """Price and pricemulti give rounded numbers, pricemulti as a cross product."""
    _, one = await get(market, "/cryptocompare/data/price", fsym="EUR", tsyms="USD", api_key="k")
    _, many = await get(market, "/cryptocompare/data/pricemulti", fsyms="BTC,ETH,NO", tsyms="USD,EUR", api_key="k")

    assert 4 == len(one["USD"].as_tuple().digits)
    assert {"BTC": ["USD", "EUR"], "ETH": ["USD", "EUR"]} == {base: list(row) for base, row in many.items()}
    assert await is_near(market, "EUR/USD", one["USD"], "0.001")


async def test_cryptocompare_legacy_unknown_pair(market: Market) -> None:
    """An unknown pair is HTTP 200 with Type 1."""
    text = "cccagg_or_exchange market does not exist for this coin pair (XXX-USD)"
    expected = {"Response": "Error", "Message": text, "HasWarning": False, "Type": 1, "RateLimit": {}, "Data": {}}

    assert (200, expected) == await get(market, "/cryptocompare/data/price", fsym="XXX", tsyms="USD", api_key="k")


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Apikey refused"}, {"Authorization": "Bearer k"}])
async def test_cryptocompare_needs_a_key(market: Market, headers: dict[str, str]) -> None:
    """Without a valid key every path is 401."""
    async with market.get(TICK, headers=headers) as response:
        body = await response.json()

    assert (401, {}, 2, 401) == (response.status, body["Data"], body["Err"]["type"], body["Err"]["http_status_code"])


async def test_cryptocompare_takes_the_key_as_a_header(market: Market) -> None:
    """The header is as good as the query."""
    async with market.get(
        TICK, params={"market": "cadli", "instruments": "BTC-USD"}, headers={"Authorization": "Apikey k"}
    ) as response:
        assert 200 == response.status


async def test_cryptocompare_limits(market: Market) -> None:
    """The legacy limit is Type 99 inside a 200, the other a 429."""
    answers = []
    for name in ("legacy", "data"):
        async with market.post("/control/cryptocompare", json={"limit": name}):
            pass
        answers.append(await get(market, TICK))

    (legacy_status, legacy), (data_status, data) = answers
    assert (200, 99, 429, 429) == (legacy_status, legacy["Type"], data_status, data["Err"]["http_status_code"])
    assert {"calls_made", "max_calls"} == legacy["RateLimit"].keys()


# Finnhub


@pytest.mark.parametrize(
    ("symbol", "pair"), [("BINANCE:BTCUSDT", "BTC/USDT"), ("OANDA:EUR_USD", "EUR/USD"), ("AAPL", "AAPL/USD")]
)
async def test_finnhub_quotes(market: Market, symbol: str, pair: str) -> None:
    """Crypto, currencies and shares have c as the price and t in seconds."""
    status, body = await get(market, "/finnhub/api/v1/quote", symbol=symbol, token="k")

    assert (200, ["c", "d", "dp", "h", "l", "o", "pc", "t"], TICK_S) == (status, list(body), body["t"])
    assert await is_near(market, pair, body["c"])


async def test_finnhub_unknown_symbol_is_all_zeros(market: Market) -> None:
    """HTTP 200 with zeros, and null for the changes."""
    zeros = {"c": 0, "d": None, "dp": None, "h": 0, "l": 0, "o": 0, "pc": 0, "t": 0}

    assert (200, zeros) == await get(market, "/finnhub/api/v1/quote", symbol="NOSUCH", token="k")


async def test_finnhub_exchanges_abroad_are_not_in_the_plan(market: Market) -> None:
    """A share with an exchange's suffix is 403, which says nothing about the key."""
    refused = {"error": "You don't have access to this resource."}

    assert (403, refused) == await get(market, "/finnhub/api/v1/quote", symbol="VOD.L", token="k")


@pytest.mark.parametrize(
    ("path", "first"),
    [
        ("crypto/symbol?exchange=BINANCE", "BINANCE:"),
        ("forex/symbol?exchange=oanda", "OANDA:"),
        ("stock/symbol?exchange=US", "AAPL"),
    ],
)
async def test_finnhub_listings(market: Market, path: str, first: str) -> None:
    """Each exchange lists its symbols, and each can be asked for."""
    _, rows = await get(market, f"/finnhub/api/v1/{path}&token=k")
    _, quote = await get(market, "/finnhub/api/v1/quote", symbol=rows[0]["symbol"], token="k")

    assert ["description", "displaySymbol", "symbol"] == list(rows[0])
    assert rows[0]["symbol"].startswith(first)
    assert quote["c"] > 0


@pytest.mark.parametrize("token", ["", "refused"])
async def test_finnhub_needs_a_key(market: Market, token: str) -> None:
    """Without a valid key it is 401."""
    status, body = await get(market, "/finnhub/api/v1/quote", symbol="AAPL", token=token)

    assert (401, ["error"]) == (status, list(body))


@pytest.mark.parametrize(("name", "status"), [("calls", 429), ("quiet", 200)])
async def test_finnhub_limit(market: Market, name: str, status: int) -> None:
    """The limit's body comes with 429, and was seen with 200."""
    async with market.post("/control/finnhub", json={"limit": name}):
        pass

    body = {"error": "API limit reached. Please try again later. Remaining Limit: 0"}
    assert (status, body) == await get(market, "/finnhub/api/v1/quote", symbol="AAPL", token="k")


# Yahoo Finance

CHART = "/yahoofinance/v8/finance/chart/"


@pytest.mark.parametrize(
    ("ticker", "pair", "currency"),
    [
        ("AAPL", "AAPL/USD", "USD"),
        ("C3M.PA", "C3M/EUR", "EUR"),
        ("EURUSD=X", "EUR/USD", "USD"),
        ("JPY=X", "USD/JPY", "JPY"),
        ("BTC-USD", "BTC/USD", "USD"),
    ],
)
async def test_yahoo_chart(market: Market, ticker: str, pair: str, currency: str) -> None:
    """A chart's meta has price, time in seconds, and the currency of the line."""
    status, body = await get(market, CHART + ticker, interval="1d", range="1d")
    meta = body["chart"]["result"][0]["meta"]

    assert (200, None, ticker, currency, TICK_S) == (
        status,
        body["chart"]["error"],
        meta["symbol"],
        meta["currency"],
        meta["regularMarketTime"],
    )
    assert await is_near(market, pair, meta["regularMarketPrice"])


async def test_yahoo_quotes_london_in_pence(market: Market) -> None:
    """A line in GBp has a hundred times the price in pounds."""
    _, body = await get(market, f"{CHART}VOD.L")
    meta = body["chart"]["result"][0]["meta"]

    assert "GBp" == meta["currency"]
    assert await is_near(market, "VOD/GBP", meta["regularMarketPrice"] / 100)


async def test_yahoo_unknown_ticker(market: Market) -> None:
    """HTTP 404 with the literal error."""
    error = {"code": "Not Found", "description": "No data found, symbol may be delisted"}

    assert (404, {"chart": {"result": None, "error": error}}) == await get(market, f"{CHART}NOSUCH")


async def test_yahoo_batches(market: Market) -> None:
    """Spark needs nothing; quote needs the cookie and the crumb."""
    _, spark = await get(market, "/yahoofinance/v7/finance/spark", symbols="AAPL,MSFT,NOSUCH")
    refused, _ = await get(market, "/yahoofinance/v7/finance/quote", symbols="AAPL")
    async with market.get("/yahoofinance/v1/test/getcrumb") as response:
        crumb = await response.text()
        headers = {"Cookie": f"A3={response.cookies['A3'].coded_value}"}
    async with market.get(
        "/yahoofinance/v7/finance/quote", params={"symbols": "AAPL,MSFT", "crumb": crumb}, headers=headers
    ) as response:
        quotes = await response.json()

    assert ["AAPL", "MSFT"] == [row["symbol"] for row in spark["spark"]["result"]]
    assert 401 == refused
    assert ["AAPL", "MSFT"] == [row["symbol"] for row in quotes["quoteResponse"]["result"]]


async def test_yahoo_limit_is_plain_text(market: Market) -> None:
    """HTTP 429 without JSON, also for who does not name himself."""
    async with market.get(f"{CHART}AAPL", headers={"User-Agent": ""}) as response:
        assert (429, "Too Many Requests") == (response.status, await response.text())
