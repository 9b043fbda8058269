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
from services.aggregator.prices.quote import Tick
from services.aggregator.sources.client import Answer, SourceClient
from services.aggregator.sources.listing import Listing
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
        self._currencies = Listing(self._load_currencies, clock)

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

    def _tick(
        self, pair: Pair, rates: Mapping[str, Decimal], date_ms: int, listed: frozenset[str] | MeshError
    ) -> TickOutcome:
        missing = [currency for currency in pair if currency not in rates]
        if missing and isinstance(listed, MeshError):
            return listed
        if pair.base == pair.quote or (not isinstance(listed, MeshError) and any(c not in listed for c in missing)):
            return UnknownPair(pair, "frankfurter")
        if missing:
            return self._client.malformed(f"an answer without {', '.join(missing)}, which is listed")
        if not all(rates[currency] > 0 for currency in pair):
            return self._client.malformed(f"a rate of {pair} that is not positive")
        return Tick(_ARITHMETIC.divide(rates[pair.quote], rates[pair.base]), date_ms)

    def _read(self, answer: Answer) -> tuple[int, Mapping[str, Decimal]]:
        """Return the day's begin in Unix ms, and how much of each currency a euro is."""
        try:
            date_ms = int(datetime.strptime(answer.fields["date"], "%Y-%m-%d").replace(tzinfo=UTC).timestamp()) * 1000
            rates = {currency: Decimal(rate) for currency, rate in answer.fields["rates"].items()}
        except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError):
            raise self._client.malformed("no date and rates") from None
        if answer.fields.get("base") != EURO:
            raise self._client.malformed("rates that are not those of the euro")
        return date_ms, {**rates, EURO: Decimal(1)}

    async def _load_currencies(self, limiter: RateLimiter) -> frozenset[str]:
        fields = (await self._get("/v1/currencies", {}, limiter)).fields
        if not fields:
            raise self._client.malformed("no currencies")
        return frozenset(fields)

    async def _get(self, path: str, parameters: Mapping[str, str], limiter: RateLimiter) -> Answer:
        answer = await self._client.get(path, parameters, limiter=limiter)
        if answer.status != 200:
            # No answer to these two calls is about a pair, whatever it says.
            raise self._client.fault(f"HTTP {answer.status}")
        return answer
