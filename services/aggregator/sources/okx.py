"""OKX v5 REST: last trade, bid and ask with the ticker's time; one instrument or all of them, errors in HTTP 200."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, ClassVar

from meshkit.clock import Clock
from meshkit.errors import MeshError
from services.aggregator.prices.errors import UnknownPair
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.sources.client import Answer, SourceClient
from services.aggregator.sources.listing import PairListing
from services.aggregator.sources.source import UNLIMITED, Declaration, ExchangeTime, RateLimiter, TickOutcome

# Codes are text.
SUCCESS = "0"
UNKNOWN_INSTRUMENT = "51001"
TOO_MANY_REQUESTS = "50011"


class OkxSource:
    """Fetch spot tickers from OKX; an instrument is base and quote with a dash, in upper case."""

    DECLARATION: ClassVar[Declaration] = Declaration(
        name="okx",
        base_url="https://www.okx.com",
        hosts=("https://eea.okx.com", "https://us.okx.com"),
        max_batch=1_000,  # there is no list of instruments, but one call has all of them
        rps=Fraction(10),
        cool_down_ms=2_000,  # 20 requests in 2 s
        exchange_time=ExchangeTime.UPDATE,
        has_stream=True,
    )

    def __init__(self, client: SourceClient, clock: Clock) -> None:
        self._client = client
        self._listing = PairListing("okx", self._load_listing, clock)

    async def fetch(self, pairs: Sequence[Pair], limiter: RateLimiter = UNLIMITED) -> Mapping[Pair, TickOutcome]:
        """Return a tick or an error for each pair; raise a MeshError that concerns all of them."""
        asked, outcomes = await self._listing.split(pairs, limiter)
        if len(asked) == 1:
            outcomes.update(await self._one(*asked.popitem(), limiter))
        elif asked:
            outcomes.update(await self._all(asked, limiter))
        return outcomes

    async def _one(self, pair: Pair, name: str, limiter: RateLimiter) -> Mapping[Pair, TickOutcome]:
        answer = await self._client.get("/api/v5/market/ticker", {"instId": name}, limiter=limiter)
        if answer.fields.get("code") == UNKNOWN_INSTRUMENT:
            self._listing.expire()
            return {pair: UnknownPair(pair, "okx")}
        return self._ticks({pair: name}, self._rows(answer))

    async def _all(self, asked: Mapping[Pair, str], limiter: RateLimiter) -> Mapping[Pair, TickOutcome]:
        answer = await self._client.get("/api/v5/market/tickers", {"instType": "SPOT"}, limiter=limiter)
        return self._ticks(asked, self._rows(answer))

    def _ticks(self, asked: Mapping[Pair, str], rows: Sequence[Any]) -> Mapping[Pair, TickOutcome]:
        by_name = {row.get("instId"): row for row in rows if isinstance(row, dict)}
        return {pair: self._tick(name, by_name.get(name)) for pair, name in asked.items()}

    def _tick(self, name: str, row: Any) -> TickOutcome:
        try:
            # A side of the book without orders is an empty text.
            return Tick(row["last"], int(row["ts"]), row["bidPx"] or None, row["askPx"] or None)
        except (KeyError, TypeError, ValueError):
            return self._client.malformed(f"no last trade, time, bid and ask of {name}")

    async def _load_listing(self, limiter: RateLimiter) -> Mapping[Pair, str]:
        rows = self._rows(await self._client.get("/api/v5/public/instruments", {"instType": "SPOT"}, limiter=limiter))
        try:
            names = {Pair(row["baseCcy"], row["quoteCcy"]): row["instId"] for row in rows if row["state"] == "live"}
        except (KeyError, TypeError) as error:
            raise self._client.malformed(f"an instrument without {error}") from None
        if not names:
            raise self._client.malformed("no instruments")
        return names

    def _rows(self, answer: Answer) -> Sequence[Any]:
        code, rows = answer.fields.get("code"), answer.fields.get("data")
        if answer.status != 200 or (code is not None and code != SUCCESS):
            raise self._failure(answer, code)
        if code is None or not isinstance(rows, list):
            raise self._client.malformed("an answer without code and data")
        return rows

    def _failure(self, answer: Answer, code: object) -> MeshError:
        if code == TOO_MANY_REQUESTS:
            return self._client.limited(answer.wait_ms)
        return self._client.fault(f"HTTP {answer.status}, code {code}")
