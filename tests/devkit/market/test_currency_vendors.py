"""Alpha Vantage, exchangerate.host and Frankfurter answer as they document."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from aiohttp.test_utils import TestClient
from aiohttp.web import Application, Request

from devkit.market.dialects.frankfurter import rate_date
from tests.devkit.market.asking import get, is_near
from tests.devkit.market.conftest import NOW_MS

Market = TestClient[Request, Application]


# Alpha Vantage


def rate(base: str, quote: str, key: str = "k") -> dict[str, str]:
    """Return the query of an exchange rate."""
    return {"function": "CURRENCY_EXCHANGE_RATE", "from_currency": base, "to_currency": quote, "apikey": key}


@pytest.mark.parametrize(("base", "quote"), [("BTC", "USD"), ("EUR", "USD")])
async def test_alphavantage_rate(market: Market, base: str, quote: str) -> None:
    """Fiat and crypto have numbered fields, text with eight decimals, and a time without zone beside the zone."""
    status, body = await get(market, "/alphavantage/query", **rate(base, quote))
    row = body["Realtime Currency Exchange Rate"]

    assert (200, list("123456789")) == (status, [name[0] for name in row])
    assert (base, quote, "2023-11-14 22:13:20", "UTC") == tuple(
        row[name] for name in ("1. From_Currency Code", "3. To_Currency Code", "6. Last Refreshed", "7. Time Zone")
    )
    assert 8 == len(row["5. Exchange Rate"].partition(".")[2])
    assert await is_near(market, f"{base}/{quote}", row["5. Exchange Rate"])


async def test_alphavantage_share(market: Market) -> None:
    """A share has its own function; an unknown one an empty object."""
    _, body = await get(market, "/alphavantage/query", function="GLOBAL_QUOTE", symbol="IBM", apikey="k")
    _, unknown = await get(market, "/alphavantage/query", function="GLOBAL_QUOTE", symbol="NOSUCH", apikey="k")

    assert ("IBM", "2023-11-14") == (
        body["Global Quote"]["01. symbol"],
        body["Global Quote"]["07. latest trading day"],
    )
    assert await is_near(market, "IBM/USD", body["Global Quote"]["05. price"])
    assert {"Global Quote": {}} == unknown


@pytest.mark.parametrize(
    ("params", "field"),
    [
        (rate("NOSUCH", "USD"), "Error Message"),
        (rate("BTC", "USD", key=""), "Error Message"),
        (rate("BTC", "USD", key="refused"), "Error Message"),
        (rate("BTC", "USD", key="demo"), "Information"),
        ({"function": "NOSUCH", "apikey": "k"}, "Error Message"),
    ],
)
async def test_alphavantage_fails_with_200(market: Market, params: dict[str, str], field: str) -> None:
    """Every failure is HTTP 200 with one field that tells its kind."""
    status, body = await get(market, "/alphavantage/query", **params)

    assert (200, [field]) == (status, list(body))


@pytest.mark.parametrize(
    ("name", "field", "text"),
    [("daily", "Information", "25 requests per day"), ("note", "Note", "call frequency")],
)
async def test_alphavantage_limits(market: Market, name: str, field: str, text: str) -> None:
    """The limit is Information today and was Note."""
    async with market.post("/control/alphavantage", json={"limit": name}):
        pass

    status, body = await get(market, "/alphavantage/query", **rate("BTC", "USD"))
    assert (200, [field]) == (status, list(body))
    assert text in body[field]


async def test_alphavantage_lists_currencies_as_csv(market: Market) -> None:
    """Two lists in CSV, without a key."""
    async with market.get("/alphavantage/digital_currency_list/") as response:
        rows = (await response.text()).splitlines()

    assert ("currency code,currency name", "BTC,Btc") == (rows[0], rows[1])


# exchangerate.host


async def test_exchangerate_host_live(market: Market) -> None:
    """Many currencies of one source, under names of six letters, with one time in seconds."""
    status, body = await get(
        market, "/exchangeratehost/live", access_key="k", source="EUR", currencies="USD,GBP,NOSUCH"
    )

    assert (200, True, "EUR", ["EURUSD", "EURGBP"]) == (status, body["success"], body["source"], list(body["quotes"]))
    assert 0 <= NOW_MS // 1000 - body["timestamp"] < 60
    assert await is_near(market, "EUR/USD", body["quotes"]["EURUSD"], "0.001")


async def test_exchangerate_host_listing(market: Market) -> None:
    """The list has every currency that live gives."""
    _, listed = await get(market, "/exchangeratehost/list", access_key="k")
    _, live = await get(market, "/exchangeratehost/live", access_key="k")

    assert {f"USD{code}" for code in listed["currencies"]} - {"USDUSD"} == set(live["quotes"])


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({}, 101),
        ({"access_key": "refused"}, 101),
        ({"access_key": "k", "source": "NOSUCH"}, 201),
        ({"access_key": "k", "currencies": "NOSUCH"}, 202),
    ],
)
async def test_exchangerate_host_fails_with_200(market: Market, params: dict[str, str], code: int) -> None:
    """Every failure is HTTP 200 with success false and a code."""
    status, body = await get(market, "/exchangeratehost/live", **params)

    assert (200, False, code) == (status, body["success"], body["error"]["code"])


async def test_exchangerate_host_limit(market: Market) -> None:
    """The monthly quota is code 104."""
    async with market.post("/control/exchangeratehost", json={"limit": True}):
        pass

    status, body = await get(market, "/exchangeratehost/live", access_key="k")
    assert (200, 104) == (status, body["error"]["code"])


# Frankfurter


async def test_frankfurter_v1(market: Market) -> None:
    """Rates of one base with the day of the fixing; unknown names are left out."""
    status, body = await get(market, "/frankfurter/v1/latest", base="EUR", symbols="USD,GBP,NOSUCH")

    assert (200, ["amount", "base", "date", "rates"]) == (status, list(body))
    assert ("EUR", "2023-11-14", ["GBP", "USD"]) == (body["base"], body["date"], list(body["rates"]))
    assert await is_near(market, "EUR/USD", body["rates"]["USD"], "0.01")


async def test_frankfurter_rate_is_that_of_the_fixing(market: Market) -> None:
    """The rate is the market's of the afternoon, not of now."""
    fixing_ms = int(datetime(2023, 11, 14, 14, 15, tzinfo=UTC).timestamp()) * 1000
    _, body = await get(market, "/frankfurter/v2/rate/EUR/USD")
    _, then = await get(market, "/reference", pairs="EUR/USD", time_ms=str(fixing_ms))

    assert abs(body["rate"] / Decimal(then["prices"]["EUR/USD"]) - 1) < Decimal("0.0005")


async def test_frankfurter_v2(market: Market) -> None:
    """A list of rows, the base against itself among them; one pair is one row."""
    _, rows = await get(market, "/frankfurter/v2/rates", base="USD")
    _, row = await get(market, "/frankfurter/v2/rate/COP/USD")

    assert {"date": "2023-11-14", "base": "USD", "quote": "USD", "rate": Decimal("1.0")} in rows
    assert ["date", "base", "quote", "rate"] == list(row)


@pytest.mark.parametrize(
    ("path", "status", "expected"),
    [
        ("v1/latest?base=NOSUCH", 404, {"message": "not found"}),
        ("v1/latest?base=USD&symbols=NOSUCH", 404, {"message": "not found"}),
        ("v1/latest?base=COP&symbols=USD", 404, {"message": "not found"}),
        ("v1/latest?base=USD&symbols=USD", 422, {"message": "bad currency pair"}),
        ("v2/rate/NOSUCH/USD", 404, {"status": 404, "message": "not found"}),
        ("v2/rates?base=USD&quotes=NOSUCH", 404, {"status": 404, "message": "not found"}),
    ],
)
async def test_frankfurter_errors(market: Market, path: str, status: int, expected: object) -> None:
    """Both versions have their own form of errors."""
    assert (status, expected) == await get(market, f"/frankfurter/{path}")


async def test_frankfurter_listings(market: Market) -> None:
    """Version 1 lists names, version 2 rows; only the latter has currencies without a central bank's rate."""
    _, names = await get(market, "/frankfurter/v1/currencies")
    _, rows = await get(market, "/frankfurter/v2/currencies")

    assert (True, False) == ("EUR" in names, "COP" in names)
    assert "COP" in {row["iso_code"] for row in rows}


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2023-11-14T14:15:00", "2023-11-14"),
        ("2023-11-14T14:14:59", "2023-11-13"),
        ("2023-11-13T09:00:00", "2023-11-10"),
        ("2023-11-12T23:00:00", "2023-11-10"),
        ("2023-11-10T15:00:00", "2023-11-10"),
    ],
)
def test_frankfurter_day(now: str, expected: str) -> None:
    """The day changes at the fixing of working days; on a Monday morning it is still Friday's."""
    now_ms = int(datetime.fromisoformat(f"{now}+00:00").timestamp()) * 1000

    assert date.fromisoformat(expected) == rate_date(now_ms)
