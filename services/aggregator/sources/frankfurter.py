"""Frankfurter v1: the reference rates of the European Central Bank, one call for all of them, once a working day."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Context, Decimal
from fractions import Fraction
from typing import ClassVar

from meshkit.clock import Clock
from meshkit.errors import MeshError
from services.aggregator.prices.errors import UnknownPair
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.price import LARGEST, SMALLEST, read_decimal
from services.aggregator.prices.quote import Tick
from services.aggregator.sources import shapes
from services.aggregator.sources.client import Answer, SourceClient
from services.aggregator.sources.listing import Listing
from services.aggregator.sources.shapes import Misshapen, Record
from services.aggregator.sources.source import DAY_MS, UNLIMITED, Declaration, ExchangeTime, RateLimiter, TickOutcome

EURO = "EUR"
_ARITHMETIC = Context(prec=30)


class FrankfurterSource:
    """
    Fetch daily rates of currencies.

    The bank publishes rates of the euro. Frankfurter would compute others from them, but rounds what it computes: a yen
    would be 0.00667 dollars, three digits. So the rates of the euro are fetched and divided here.
    """

    DECLARATION: ClassVar[Declaration] = Declaration(
        name="frankfurter",
        base_url="https://api.frankfurter.dev",
        max_batch=1_000,
        rps=Fraction(10),
        max_concurrent=1,
        cool_down_ms=60_000,
        exchange_time=ExchangeTime.DAY,
        max_age_ms=6 * DAY_MS,  # Easter: a Thursday's rates hold until Tuesday afternoon
    )

    def __init__(self, client: SourceClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._currencies = Listing("frankfurter", self._load_currencies, clock, size=len)

    async def fetch(self, pairs: Sequence[Pair], limiter: RateLimiter = UNLIMITED) -> Mapping[Pair, TickOutcome]:
        """Return a tick or an error for each pair; raise a MeshError that concerns all of them."""
        answer = await self._get("/v1/latest", {"base": EURO}, limiter)
        date_ms, rates = self._read(answer)
        missing = [currency for pair in pairs for currency in pair if currency not in rates]
        listed: frozenset[str] | MeshError = frozenset()
        if missing:
            try:
                listed = await self._currencies.names(limiter)
            except MeshError as error:
                listed = error
        return {pair: self._tick(pair, rates, date_ms, listed) for pair in pairs}

    def _tick(self, pair: Pair, rates: Record, date_ms: int, listed: frozenset[str] | MeshError) -> TickOutcome:
        missing = [currency for currency in pair if currency not in rates]
        if missing and isinstance(listed, MeshError):
            return listed
        if pair.base == pair.quote or (not isinstance(listed, MeshError) and any(c not in listed for c in missing)):
            return UnknownPair(pair, "frankfurter")
        if missing:
            return self._client.malformed(f"an answer without {', '.join(missing)}, which is listed")
        try:
            base, quote = (_rate(rates, currency) for currency in pair)
        except Misshapen as error:
            return self._client.malformed(f"no rate of {pair}: {error}")
        return Tick(_ARITHMETIC.divide(quote, base), date_ms)

    def _read(self, answer: Answer) -> tuple[int, Record]:
        """Return the day's begin in Unix ms, and how much of each currency a euro is, as it was told."""
        try:
            # An amount of more than one euro would be as many times the rate.
            shapes.expect_if_told(answer.fields, amount=1)
            shapes.expect(answer.fields, "base", EURO)
            rates = shapes.record(answer.fields.get("rates"), "rates")
            shapes.expect_if_told(rates, **{EURO: 1})
            date_ms = _date_ms(shapes.text(answer.fields, "date"))
        except Misshapen as error:
            raise self._client.without_data(answer, f"no date and rates of the euro: {error}") from None
        # Near midnight the day is told ahead. What is later than that is refused as of the future.
        now_ms = self._clock.time_ms()
        return min(date_ms, now_ms) if date_ms - now_ms <= DAY_MS else date_ms, {**rates, EURO: 1}

    async def _load_currencies(self, limiter: RateLimiter) -> frozenset[str]:
        fields = (await self._get("/v1/currencies", {}, limiter)).fields
        if EURO not in fields:
            raise self._client.malformed("no currencies, or not even the euro")
        return frozenset(fields)

    async def _get(self, path: str, parameters: Mapping[str, str], limiter: RateLimiter) -> Answer:
        answer = await self._client.get(path, parameters, limiter=limiter)
        if answer.status != 200:
            # No answer to these two calls is about a pair, whatever it says.
            raise self._client.failed(answer.status)
        return answer


def _rate(rates: Record, currency: str) -> Decimal:
    """Return how much of a currency a euro is, a number that can be divided by."""
    told = shapes.price(rates, currency)
    try:
        rate = read_decimal(str(told))
    except ValueError:
        rate = Decimal(0)
    if not rate.is_finite() or not SMALLEST <= rate <= LARGEST:
        raise Misshapen(currency, told, f"a rate within {SMALLEST} to {LARGEST}")
    return rate


def _date_ms(text: str) -> int:
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise Misshapen("date", text, "a date such as 2026-08-20") from None
    return int(day.timestamp()) * 1000
