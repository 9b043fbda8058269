"""Alpha Vantage: one exchange rate a call with its time in text, and every failure as HTTP 200."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from typing import ClassVar

from meshkit.clock import Clock
from meshkit.errors import MeshError
from services.aggregator.prices.errors import UnknownPair
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.sources import shapes
from services.aggregator.sources.client import Answer, SourceClient
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

RATE = "Realtime Currency Exchange Rate"
# Only in these words it says that it does not have a pair; a wrong key is told in others.
UNKNOWN_SIGN = "invalid api call"
KEY_SIGN = "apikey"
PLAN_SIGNS = ("premium", "api key", "demo")
BURST_SIGNS = ("per second", "spreading out")
MINUTE_SIGNS = ("per minute", "call frequency")
DAY_SIGNS = ("per day", "daily", "rate limit")
BURST_WAIT_MS = 2_000
MINUTE_WAIT_MS = 60_000
# When its day begins is not documented.
DAY_WAIT_MS = HOUR_MS


class AlphaVantageSource:
    """Fetch exchange rates of currencies and coins; the free plan has 25 calls a day."""

    DECLARATION: ClassVar[Declaration] = Declaration(
        name="alphavantage",
        base_url="https://www.alphavantage.co",
        max_batch=1,
        rps=Fraction(1),
        max_concurrent=1,
        cool_down_ms=MINUTE_WAIT_MS,
        key=Key(required=True, parameter="apikey"),  # it takes no header
        exchange_time=ExchangeTime.UPDATE,
    )

    def __init__(self, client: SourceClient, _clock: Clock) -> None:
        self._client = client

    async def fetch(self, pairs: Sequence[Pair], limiter: RateLimiter = UNLIMITED) -> Mapping[Pair, TickOutcome]:
        """Return a tick or an error for each pair; raise a MeshError that concerns all of them."""
        return {pair: await self._rate(pair, limiter) for pair in pairs}

    async def _rate(self, pair: Pair, limiter: RateLimiter) -> TickOutcome:
        answer = await self._client.get(
            "/query",
            {"function": "CURRENCY_EXCHANGE_RATE", "from_currency": pair.base, "to_currency": pair.quote},
            limiter=limiter,
        )
        if RATE in answer.fields and answer.status == 200:
            return self._tick(pair, answer)
        # Whatever is told in the place of a rate is a refusal of some kind, under whatever name. It may hold our key in
        # clear text, so none of its text goes into errors and logs.
        told = " ".join(text.lower() for text in answer.fields.values() if isinstance(text, str))
        if UNKNOWN_SIGN in told and KEY_SIGN not in told:
            return UnknownPair(pair, "alphavantage")
        if answer.status != 200:
            raise self._client.failed(answer.status)
        if told:
            raise self._refusal(told)
        return self._client.without_data(answer, f"no rate of {pair}")

    def _tick(self, pair: Pair, answer: Answer) -> TickOutcome:
        try:
            row = shapes.record(answer.fields[RATE], RATE)
            shapes.expect(row, "1. From_Currency Code", pair.base)
            shapes.expect(row, "3. To_Currency Code", pair.quote)
            shapes.expect(row, "7. Time Zone", "UTC")
            time_ms = _time_ms(shapes.text(row, "6. Last Refreshed"))
            bid, ask = shapes.side(row, "8. Bid Price"), shapes.side(row, "9. Ask Price")
            return Tick(shapes.price(row, "5. Exchange Rate"), time_ms, bid, ask)
        except Misshapen as error:
            return self._client.malformed(f"no rate of {pair} with its time: {error}")

    def _refusal(self, told: str) -> MeshError:
        if KEY_SIGN in told:
            return self._client.refused("the key is invalid or missing")
        # A notice of the burst limit also praises the plans without the daily one, so the order matters.
        for signs, wait_ms in ((BURST_SIGNS, BURST_WAIT_MS), (MINUTE_SIGNS, MINUTE_WAIT_MS), (DAY_SIGNS, DAY_WAIT_MS)):
            if any(sign in told for sign in signs):
                return self._client.limited(wait_ms)
        if any(sign in told for sign in PLAN_SIGNS):
            return self._client.refused("the key or the plan does not allow this")
        # In words that are new to us it is a limit: to ask less is never wrong.
        return self._client.limited()


def _time_ms(text: str) -> int:
    try:
        moment = datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        raise Misshapen("6. Last Refreshed", text, "a time such as 2025-09-29 12:00:01") from None
    return int(moment.timestamp()) * 1000
