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
from services.aggregator.sources.client import Answer, SourceClient
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
# Notices hold our key in clear text, so none of their text goes into errors and logs.
NOTICES = ("Information", "Note")
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
        for notice in NOTICES:
            if notice in answer.fields:
                raise self._notice(str(answer.fields[notice]).lower())
        if "Error Message" in answer.fields:
            if "apikey" in str(answer.fields["Error Message"]).lower():
                raise self._client.refused("the key is invalid or missing")
            return UnknownPair(pair, "alphavantage")
        if answer.status != 200:
            raise self._client.fault(f"HTTP {answer.status}")
        return self._tick(pair, answer)

    def _tick(self, pair: Pair, answer: Answer) -> TickOutcome:
        try:
            row = answer.fields[RATE]
            zone = row["7. Time Zone"]
            moment = datetime.strptime(row["6. Last Refreshed"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
            found = (row["1. From_Currency Code"], row["3. To_Currency Code"])
            price = row["5. Exchange Rate"]
        except (KeyError, TypeError, ValueError):
            raise self._client.malformed(f"no rate of {pair} with its time") from None
        if zone != "UTC" or found != pair:
            raise self._client.malformed(f"a rate of another pair than {pair}, or in another time zone than UTC")
        # A side that it does not have is a dash.
        bid, ask = (side if side != "-" else None for side in (row.get("8. Bid Price"), row.get("9. Ask Price")))
        return Tick(price, int(moment.timestamp()) * 1000, bid, ask)

    def _notice(self, text: str) -> MeshError:
        # A notice of the burst limit also praises the plans without the daily one, so the order matters.
        for signs, wait_ms in ((BURST_SIGNS, BURST_WAIT_MS), (MINUTE_SIGNS, MINUTE_WAIT_MS), (DAY_SIGNS, DAY_WAIT_MS)):
            if any(sign in text for sign in signs):
                return self._client.limited(wait_ms)
        if "premium" in text or "api key" in text or "demo" in text:
            return self._client.refused("the key or the plan does not allow this")
        return self._client.limited()
