"""exchangerate.host: rates of any number of currencies of one source currency in a call, errors in HTTP 200."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import ClassVar

from meshkit.clock import Clock
from meshkit.errors import MeshError
from services.aggregator.prices.errors import UnknownPair
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.sources import shapes
from services.aggregator.sources.client import Answer, SourceClient
from services.aggregator.sources.listing import Listing
from services.aggregator.sources.shapes import Misshapen
from services.aggregator.sources.source import (
    HOUR_MS,
    UNLIMITED,
    Declaration,
    ExchangeTime,
    Key,
    RateLimiter,
    TickOutcome,
)

NAME = "exchangerate-host"
# No key or a wrong one, an account that is not active, a plan without the function.
REFUSAL_CODES = frozenset({101, 102, 105})
QUOTA_CODE = 104
# The source currency, one of the target currencies.
UNKNOWN_CODES = frozenset({201, 202})
# A function that it does not have, no result, a parameter that it does not take.
FAULT_CODES = frozenset({103, 106, *range(301, 306), *range(401, 404), *range(501, 506)})
# The month's quota is used up. Asking again is harmless, but in vain until the next month or another plan.
QUOTA_WAIT_MS = HOUR_MS


class ExchangeRateHostSource:
    """Fetch rates of currencies; the free plan has so few calls a month that every one counts."""

    DECLARATION: ClassVar[Declaration] = Declaration(
        name=NAME,
        base_url="https://api.exchangerate.host",
        max_batch=100,
        rps=Fraction(1),
        max_concurrent=1,
        cool_down_ms=60_000,
        key=Key(required=True, parameter="access_key"),  # it takes no header
        exchange_time=ExchangeTime.UPDATE,
        max_age_ms=25 * HOUR_MS,  # the free plan's rates change once a day
    )

    def __init__(self, client: SourceClient, clock: Clock) -> None:
        self._client = client
        self._currencies = Listing(NAME, self._load_currencies, clock, size=len)

    async def fetch(self, pairs: Sequence[Pair], limiter: RateLimiter = UNLIMITED) -> Mapping[Pair, TickOutcome]:
        """Return a tick or an error for each pair; raise a MeshError that concerns all of them."""
        by_base: dict[str, list[Pair]] = {}
        for pair in pairs:
            by_base.setdefault(pair.base, []).append(pair)
        outcomes: dict[Pair, TickOutcome] = {}
        for number, (base, group) in enumerate(by_base.items()):
            try:
                outcomes.update(await self._rates(base, group, limiter))
            except MeshError as error:
                if number == 0:
                    raise
                # What was paid for is kept; the next fetch meets the same failure first.
                return {**dict.fromkeys(pairs, error), **outcomes}
        return outcomes

    async def _rates(self, base: str, pairs: Sequence[Pair], limiter: RateLimiter) -> Mapping[Pair, TickOutcome]:
        parameters = {"source": base, "currencies": ",".join(pair.quote for pair in pairs)}
        answer = await self._client.get("/live", parameters, limiter=limiter)
        if answer.status == 200 and _error_code(answer) in UNKNOWN_CODES:
            return await self._without_unknown(base, pairs, limiter)
        self._check(answer)
        try:
            shapes.expect(answer.fields, "source", base)
            quotes = shapes.record(answer.fields.get("quotes"), "quotes")
            time_ms = shapes.time_s(answer.fields, "timestamp")
        except Misshapen as error:
            raise self._client.malformed(f"no quotes, source and timestamp: {error}") from None
        outcomes = {pair: self._tick(pair, quotes, time_ms) for pair in pairs if base + pair.quote in quotes}
        absent = [pair for pair in pairs if pair not in outcomes]
        return {**outcomes, **await self._explain(absent, limiter)} if absent else outcomes

    def _tick(self, pair: Pair, quotes: shapes.Record, time_ms: int) -> TickOutcome:
        try:
            return Tick(shapes.price(quotes, pair.base + pair.quote), time_ms)
        except Misshapen as error:
            return self._client.malformed(str(error))

    async def _without_unknown(
        self, base: str, pairs: Sequence[Pair], limiter: RateLimiter
    ) -> Mapping[Pair, TickOutcome]:
        """Ask again without the currencies that are not listed, since one of them may spoil the whole call."""
        if len(pairs) == 1:
            return {pairs[0]: UnknownPair(pairs[0], NAME)}
        outcomes = await self._explain(pairs, limiter)
        known = [pair for pair in pairs if not isinstance(outcomes[pair], UnknownPair)]
        if not known or len(known) == len(pairs):
            self._currencies.expire()
            return outcomes
        return {**outcomes, **await self._rates(base, known, limiter)}

    async def _explain(self, pairs: Sequence[Pair], limiter: RateLimiter) -> Mapping[Pair, TickOutcome]:
        """Return why there is no rate of these pairs: a currency is not listed, or the answer is incomplete."""
        try:
            listed = await self._currencies.names(limiter)
        except MeshError as error:
            return dict.fromkeys(pairs, error)
        incomplete = self._client.malformed("an answer without a currency that is listed")
        return {
            pair: incomplete if pair.base in listed and pair.quote in listed else UnknownPair(pair, NAME)
            for pair in pairs
        }

    async def _load_currencies(self, limiter: RateLimiter) -> frozenset[str]:
        answer = await self._client.get("/list", limiter=limiter)
        self._check(answer)
        currencies = answer.fields.get("currencies")
        if not isinstance(currencies, dict) or not currencies:
            raise self._client.malformed("no currencies")
        return frozenset(currencies)

    def _check(self, answer: Answer) -> None:
        code, success = _error_code(answer), answer.fields.get("success")
        if code in REFUSAL_CODES:
            raise self._client.refused(f"code {code}")
        if code == QUOTA_CODE:
            raise self._client.limited(QUOTA_WAIT_MS)
        if answer.status == 200 and code is not None and code not in FAULT_CODES:
            # In words that are new to us it is a limit: to ask less is never wrong.
            raise self._client.limited(answer.wait_ms)
        if answer.status != 200 or code is not None or success is False:
            raise self._client.failed(answer.status, f"code {code}")
        if success is not True:
            raise self._client.without_data(answer, "an answer that does not say whether it is a success")


def _error_code(answer: Answer) -> object:
    """Return the code of an answer's error, its text where it has none, and None without an error."""
    error = answer.fields.get("error")
    if isinstance(error, dict):
        return shapes.hashable(error.get("code")) or shapes.shown(error)
    return None if error is None else shapes.shown(error)
