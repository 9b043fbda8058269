"""What deployments of the older aggregator suffered from, by its number there; each test fails where it comes back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from aiohttp import web

from meshkit.clock import SystemClock
from meshkit.errors import MeshError
from services.aggregator.config import AggregatorConfig
from services.aggregator.engine.engine import Engine
from services.aggregator.metrics import open_registry
from services.aggregator.prices.errors import PriceRefused, SourceRateLimited, UnknownPair
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.price import plain_text
from services.aggregator.sources.catalog import DECLARATIONS
from services.aggregator.sources.factory import open_sources
from services.aggregator.sources.settings import SourceConfig
from tests.aggregator.fakes import BTC, ETH, LiteralExchange
from tests.aggregator.sources.making import KEY, make

COINBASE = '{"price":"6268.48","bid":"6268","ask":"6269","time":"%s"}'


@asynccontextmanager
async def engine_of(
    session: aiohttp.ClientSession,
    name: str,
    url: str,
    feeds: Mapping[Pair, Mapping[str, Pair]] | None = None,
    **settings: Any,
) -> AsyncIterator[Engine]:
    """Give an engine of one source."""
    source = SourceConfig(name, base_url=url, api_key=KEY, **settings)
    config = AggregatorConfig({name: source}, feeds or {}, first_price_hold_ms=0)
    clock = SystemClock()
    engine = Engine(config, open_sources(session, config.sources.values(), clock), clock, open_registry())
    await engine.start()
    try:
        yield engine
    finally:
        await engine.close()


@asynccontextmanager
async def serving(handle: Callable[[web.Request], Awaitable[web.Response]]) -> AsyncIterator[str]:
    """Give the address of a server with this handler."""
    app = web.Application()
    app.router.add_get("/{tail:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def now_text() -> str:
    """Return the time as Coinbase writes it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


async def test_defect_6_ids_and_currencies_make_no_second_pair(
    session: aiohttp.ClientSession, exchange: LiteralExchange
) -> None:
    """bitcoin/usd, Bitcoin/USD and the feed's bitcoin/USD are one registration, one cached price and one call."""
    seconds = SystemClock().time_ms() // 1000
    exchange.say("/api/v3/simple/price", f'{{"bitcoin":{{"usd":65000.5,"last_updated_at":{seconds}}}}}')
    async with engine_of(
        session, "coingecko", exchange.url, feeds={BTC: {"coingecko": Pair("bitcoin", "usd")}}
    ) as engine:
        for spelled in (Pair("bitcoin", "usd"), Pair("Bitcoin", "USD"), Pair("bitcoin", "USD")):
            assert Decimal("65000.5") == (await engine.answers.source_quote("coingecko", spelled)).price
        await engine.answers.quote(BTC)

        assert [Pair("bitcoin", "USD")] == [state.pair for state in engine.status.pairs()]

    assert 1 == len(exchange.asked)


async def test_defect_7_a_rate_below_one_a_second_lets_requests_run(
    session: aiohttp.ClientSession, market: str
) -> None:
    """One call in three hours is still a call, and so is the listing that it needs."""
    async with engine_of(session, "okx", f"{market}/okx", rps=Fraction("0.0001")) as engine:
        quote = await engine.answers.source_quote("okx", BTC, timeout_s=3)

    assert quote.price > 0


async def test_defect_8_no_rate_keeps_retries_and_concurrency(session: aiohttp.ClientSession) -> None:
    """Without a rate, a fault is asked about again, and no more requests than set are under way."""
    running, peak, count = 0, 0, 0

    async def handle(_request: web.Request) -> web.Response:
        nonlocal running, peak, count
        running, count = running + 1, count + 1
        peak = max(peak, running)
        is_first = count == 1
        await asyncio.sleep(0.02)
        running -= 1
        return web.Response(status=500) if is_first else web.Response(text=COINBASE % now_text())

    async with serving(handle) as url, engine_of(session, "coinbase", url, rps=None, max_concurrent=2) as engine:
        quotes = await asyncio.gather(
            *(engine.answers.source_quote("coinbase", Pair(f"C{n}", "USD")) for n in range(8))
        )

    assert [Decimal("6268.48")] * 8 == [quote.price for quote in quotes]
    assert (2, 9) == (peak, count)


@pytest.mark.parametrize("name", sorted(name for name, declared in DECLARATIONS.items() if declared.key is not None))
async def test_defect_12_no_failure_tells_the_key(session: aiohttp.ClientSession, name: str) -> None:
    """Neither an echo of the key in an answer nor the address of a failed request gets into an error."""
    asked: list[str] = []

    async def echo(request: web.Request) -> web.Response:
        asked.append(request.path_qs)
        text = f"your API key as {KEY} and rate limit per day"
        if len(asked) == 1:
            return web.json_response({"Information": text, "error": text, "Err": {"type": 1, "message": text}})
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with serving(echo) as url:
        source = make(name, session, url)
        for _ in range(2):
            with pytest.raises(MeshError) as caught:
                await source.fetch([BTC])
            told = caught.value
            assert KEY not in f"{told} {told!r} {told.metadata} {told.__cause__!r}"


@pytest.mark.parametrize(
    ("status", "reason", "told"),
    [
        (429, "SOURCE_RATE_LIMITED", 429),
        (418, "SOURCE_RATE_LIMITED", 429),
        (503, "PROVIDER_FAULT", 502),
        (401, "ACCESS_REFUSED", 502),
        (400, "MALFORMED_ANSWER", 502),
    ],
)
async def test_defect_13_what_went_wrong_keeps_its_name(
    session: aiohttp.ClientSession, exchange: LiteralExchange, status: int, reason: str, told: int
) -> None:
    """A provider's status is one kind of error, for our caller and for the operator, and never our caller's fault."""
    exchange.say("/products/BTC-USD/ticker", (status, "<html>"))
    async with engine_of(session, "coinbase", exchange.url, max_retries=0) as engine:
        with pytest.raises(MeshError) as caught:
            await engine.answers.source_quote("coinbase", BTC)
        state = engine.status.source("coinbase")

    assert (reason, told) == (caught.value.reason, caught.value.http_status)
    assert (False, str(caught.value)) == (state.available, state.last_error)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("alphavantage", '{"Information":"our standard API rate limit is 25 requests per day"}'),
        ("cryptocompare", '{"Response":"Error","Message":"over your rate limit","Type":99,"RateLimit":{},"Data":{}}'),
        ("finnhub", '{"error":"API limit reached. Please try again later. Remaining Limit: 0"}'),
        ("exchangeratehost", '{"success":false,"error":{"code":104,"type":"usage_limit_reached"}}'),
        ("bybit", '{"retCode":10006,"retMsg":"Too many visits!","result":{},"time":1}'),
        ("kucoin", '{"code":"429000","msg":"Too Many Requests"}'),
        ("okx", '{"code":"50011","msg":"Too Many Requests","data":[]}'),
        ("coingecko", '{"status":{"error_code":429,"error_message":"limit"}}'),
        ("kraken", '{"error":["EGeneral:Too many requests"]}'),
    ],
)
async def test_defect_14_a_limit_inside_http_200_keeps_the_pair(
    session: aiohttp.ClientSession, name: str, body: str
) -> None:
    """It is told as a limit, and the pair stays registered."""

    async def handle(_request: web.Request) -> web.Response:
        return web.Response(text=body)

    route = DECLARATIONS[name].name
    async with serving(handle) as url, engine_of(session, name, url) as engine:
        with pytest.raises(SourceRateLimited):
            await engine.answers.source_quote(route, BTC)

        assert [DECLARATIONS[name].fold(BTC)] == [state.pair for state in engine.status.pairs(route)]


@pytest.mark.parametrize("name", sorted(DECLARATIONS))
@pytest.mark.parametrize("status", [400, 404])
async def test_defect_14_a_page_of_the_network_is_no_unknown_pair(
    session: aiohttp.ClientSession, name: str, status: int
) -> None:
    """Only the provider's own words are, not what stands between it and us."""

    async def handle(_request: web.Request) -> web.Response:
        return web.Response(text="<html>nginx</html>", status=status)

    async with serving(handle) as url:
        with pytest.raises(MeshError) as caught:
            await make(name, session, url).fetch([BTC])

    assert not isinstance(caught.value, UnknownPair)


async def test_defect_15_a_daily_rate_is_as_old_as_its_date(
    session: aiohttp.ClientSession, exchange: LiteralExchange
) -> None:
    """Yesterday's rate is served with yesterday's time, and one of ten days ago is refused."""
    yesterday, long_ago = (datetime.now(UTC).date() - timedelta(days=days) for days in (1, 10))
    answers = [f'{{"amount":1.0,"base":"EUR","date":"{day}","rates":{{"USD":1.17}}}}' for day in (yesterday, long_ago)]
    exchange.say("/v1/latest", *answers)
    euro = Pair("EUR", "USD")
    async with engine_of(session, "frankfurter", exchange.url) as engine:
        quote = await engine.answers.source_quote("frankfurter", euro)
    async with engine_of(session, "frankfurter", exchange.url) as engine:
        with pytest.raises(PriceRefused):
            await engine.answers.source_quote("frankfurter", euro)

    midnight_ms = int(datetime(yesterday.year, yesterday.month, yesterday.day, tzinfo=UTC).timestamp()) * 1000
    assert midnight_ms == quote.exchange_time_ms


async def test_defect_15_a_market_that_stands_still_is_refused(
    session: aiohttp.ClientSession, exchange: LiteralExchange
) -> None:
    """A last trade of two hours ago is not fresh because its answer is."""
    exchange.say("/products/BTC-USD/ticker", COINBASE % (datetime.now(UTC) - timedelta(hours=2)).isoformat())
    async with engine_of(session, "coinbase", exchange.url) as engine:
        with pytest.raises(PriceRefused):
            await engine.answers.source_quote("coinbase", BTC)


@pytest.mark.parametrize(
    ("number", "expected"), [("1e-7", "0.0000001"), ("65123.4567890123456789", "65123.4567890123456789")]
)
@pytest.mark.parametrize(
    ("name", "pair", "answers"),
    [
        ("coingecko", Pair("x", "usd"), {"/api/v3/simple/price": '{"x":{"usd":@,"last_updated_at":#}}'}),
        (
            "cryptocompare",
            BTC,
            {"/index/cc/v1/latest/tick": '{"Data":{"BTC-USD":{"VALUE":@,"VALUE_LAST_UPDATE_TS":#}},"Err":{}}'},
        ),
        (
            "finnhub",
            BTC,
            {
                "/api/v1/crypto/symbol": '[{"displaySymbol":"BTC/USD","symbol":"B"}]',
                "/api/v1/forex/symbol": "[]",
                "/api/v1/quote": '{"c":@,"t":#}',
            },
        ),
        (
            "exchangeratehost",
            BTC,
            {"/live": '{"success":true,"timestamp":#,"source":"BTC","quotes":{"BTCUSD":@}}'},
        ),
        (
            "yahoofinance",
            Pair("AAPL", "USD"),
            {
                "/v8/finance/chart/AAPL": '{"chart":{"error":null,"result":[{"meta":{"symbol":"AAPL","currency":"USD",'
                '"regularMarketPrice":@,"regularMarketTime":#}}]}}'
            },
        ),
        (
            "frankfurter",
            Pair("EUR", "USD"),
            {"/v1/latest": '{"base":"EUR","date":"%s","rates":{"USD":@}}'},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_defect_17_json_numbers_keep_their_digits(
    session: aiohttp.ClientSession,
    exchange: LiteralExchange,
    name: str,
    pair: Pair,
    answers: dict[str, str],
    number: str,
    expected: str,
) -> None:
    """No digit is lost in a binary number, and a tiny price is written without an exponent."""
    seconds = str(SystemClock().time_ms() // 1000)
    today = str(datetime.now(UTC).date())
    for path, text in answers.items():
        exchange.say(path, text.replace("@", number).replace("#", seconds).replace("%s", today))
    async with engine_of(session, name, exchange.url) as engine:
        quote = await engine.answers.source_quote(DECLARATIONS[name].name, pair)

    assert expected == plain_text(quote.price)


def test_defect_19_coinbase_is_the_exchange_and_binance_the_deep_one() -> None:
    """Trades of the exchange, not derived spot rates under the same name; not the thin venue of one country."""
    assert "api.exchange.coinbase.com" == urlsplit(DECLARATIONS["coinbase"].base_url).hostname
    assert "api.binance.com" == urlsplit(DECLARATIONS["binance"].base_url).hostname
    assert not any("binance.us" in host for host in DECLARATIONS["binance"].hosts)


@pytest.mark.parametrize(
    ("pair", "path", "currency"),
    [
        (Pair("AAPL", "EUR"), "AAPL", "USD"),
        (Pair("EUR", "USD"), "EURUSD=X", "USD"),
        (BTC, "BTC-USD", "USD"),
        (ETH, "ETH-USD", "USD"),
    ],
    ids=str,
)
async def test_defect_19_yahoo_prices_what_was_asked_for(
    session: aiohttp.ClientSession, exchange: LiteralExchange, pair: Pair, path: str, currency: str
) -> None:
    """Neither the shares whose tickers are BTC, ETH and EUR, nor Apple's dollars as euros."""
    meta = f'{{"symbol":"{path}","currency":"{currency}","regularMarketPrice":5,"regularMarketTime":0}}'
    exchange.say(f"/v8/finance/chart/{path}", f'{{"chart":{{"error":null,"result":[{{"meta":{meta}}}]}}}}')
    outcome = (await make("yahoofinance", session, exchange.url).fetch([pair]))[pair]

    assert isinstance(outcome, UnknownPair) == (currency != pair.quote)
    assert [f"/v8/finance/chart/{path}?interval=1d&range=1d"] == exchange.asked
