"""Yahoo Finance charts: one symbol a call with price, currency and time; unofficial, and picky about its clients."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import ClassVar

from meshkit.clock import Clock
from services.aggregator.prices.errors import PriceRefused, ProviderFault, UnknownPair
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.price import read_decimal
from services.aggregator.prices.quote import Tick
from services.aggregator.sources import shapes
from services.aggregator.sources.client import Answer, SourceClient
from services.aggregator.sources.shapes import Misshapen, Record
from services.aggregator.sources.source import (
    DAY_MS,
    HOUR_MS,
    UNLIMITED,
    Declaration,
    ExchangeTime,
    RateLimiter,
    TickOutcome,
)

NAME = "yahoofinance"
_CURRENCIES = """
    AED ARS AUD BGN BRL CAD CHF CLP CNY COP CZK DKK EUR GBP HKD HUF IDR ILS INR ISK JPY KRW MXN MYR NOK NZD PEN PHP PLN
    RON SAR SEK SGD THB TRY TWD USD VND ZAR
"""
CURRENCIES = frozenset(_CURRENCIES.split())
# Coins whose plain ticker means the coin to everybody; shares and funds of the same ticker exist.
_COINS = "ADA AVAX BCH BNB BTC DOGE ETC ETH LINK LTC SOL TRX XLM XMR XRP"
COINS = frozenset(_COINS.split())
# Some exchanges quote in hundredths of the currency.
HUNDREDTHS = {"GBp": "GBP", "ZAc": "ZAR", "ILA": "ILS"}
_HUNDREDTH = Decimal("0.01")
_NOT_FOUND = "Not Found"


class YahooFinanceSource:
    """
    Fetch prices from Yahoo Finance.

    A base is Yahoo's own symbol, such as AAPL, CSPX.L or BTC-USD; two currencies are the symbol EURUSD=X, and a great
    coin is BTC-USD. The quote is what the answer's currency must be: a share priced in another currency is an unknown
    pair. While the symbol's market is closed its last price counts; while it is open the price must be of this hour.
    """

    DECLARATION: ClassVar[Declaration] = Declaration(
        name=NAME,
        base_url="https://query1.finance.yahoo.com",
        hosts=("https://query2.finance.yahoo.com",),
        max_batch=1,
        rps=Fraction(10),
        max_concurrent=2,
        cool_down_ms=60_000,
        exchange_time=ExchangeTime.TRADE,
        max_age_ms=5 * DAY_MS,  # a long weekend
    )

    def __init__(self, client: SourceClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    async def fetch(self, pairs: Sequence[Pair], limiter: RateLimiter = UNLIMITED) -> Mapping[Pair, TickOutcome]:
        """Return a tick or an error for each pair; raise a MeshError that concerns all of them."""
        return {pair: await self._chart(pair, limiter) for pair in pairs}

    async def _chart(self, pair: Pair, limiter: RateLimiter) -> TickOutcome:
        symbol = symbol_of(pair)
        if not symbol.strip("."):  # dots alone are another path
            return UnknownPair(pair, NAME)
        parameters = {"interval": "1d", "range": "1d"}
        answer = await self._client.get(f"/v8/finance/chart/{symbol}", parameters, limiter=limiter)
        chart = answer.fields.get("chart")
        if not isinstance(chart, dict):
            return self._client.without_data(answer, "no chart") if answer.status == 200 else self._fault(answer, None)
        if (error := chart.get("error")) is not None or answer.status != 200:
            code = error.get("code") if isinstance(error, dict) else error
            if code == _NOT_FOUND:
                return UnknownPair(pair, NAME)
            # In words that are new to us it is a limit: to ask less is never wrong.
            return self._client.limited(answer.wait_ms) if answer.status == 200 else self._fault(answer, code)
        try:
            results = shapes.rows(chart.get("result"), "result")
            metas = [result.get("meta") for result in results if isinstance(result, dict)]
            return self._tick(pair, shapes.record(shapes.by_name(metas, "symbol").get(symbol), symbol))
        except Misshapen as error:
            return self._client.malformed(f"no price, currency and time of {symbol}: {error}")

    def _tick(self, pair: Pair, meta: Record) -> TickOutcome:
        price, currency = shapes.price(meta, "regularMarketPrice"), shapes.text(meta, "currency")
        time_ms = shapes.time_s(meta, "regularMarketTime")
        if HUNDREDTHS.get(currency, currency) != pair.quote:
            return UnknownPair(pair, NAME)
        if currency in HUNDREDTHS:
            price = _hundredth_of(price)
        now_ms = self._clock.time_ms()
        if now_ms - time_ms > HOUR_MS and _is_open(meta, now_ms):
            return PriceRefused(NAME, pair, str(time_ms), "its market is open and its time is over an hour ago")
        return Tick(price, time_ms)

    def _fault(self, answer: Answer, code: object) -> ProviderFault:
        return self._client.failed(answer.status, f"code {shapes.shown(code)}")


def _hundredth_of(price: str | int | Decimal) -> Decimal:
    try:
        return read_decimal(str(price)) * _HUNDREDTH
    except (ValueError, ArithmeticError):
        raise Misshapen("regularMarketPrice", price, "a decimal number") from None


def symbol_of(pair: Pair) -> str:
    """Return Yahoo's symbol of a pair."""
    if pair.base in CURRENCIES and pair.quote in CURRENCIES:
        return f"{pair.base}{pair.quote}=X"
    return f"{pair.base}-{pair.quote}" if pair.base in COINS else pair.base


def _is_open(meta: Record, now_ms: int) -> bool:
    """Tell whether the symbol's market has been open for an hour; one whose hours are not told counts as open."""
    try:
        periods = shapes.record(meta.get("currentTradingPeriod"), "currentTradingPeriod")
        regular = shapes.record(periods.get("regular"), "regular")
        return shapes.time_s(regular, "start") + HOUR_MS <= now_ms < shapes.time_s(regular, "end")
    except Misshapen:
        return True
