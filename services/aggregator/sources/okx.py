"""OKX v5 REST: last trade, bid and ask with the ticker's time; one instrument or all of them, errors in HTTP 200."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, ClassVar

from meshkit.clock import Clock
from meshkit.errors import MeshError
from services.aggregator.prices.errors import MarketHalted, UnknownPair
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.sources import shapes
from services.aggregator.sources.client import Answer, SourceClient
from services.aggregator.sources.markets import Listed, Market, Markets, pair_in, read_markets
from services.aggregator.sources.shapes import Misshapen, Record
from services.aggregator.sources.source import (
    MINUTE_MS,
    UNLIMITED,
    Declaration,
    ExchangeTime,
    RateLimiter,
    TickOutcome,
)

LIVE = "live"
# Codes are text.
SUCCESS = "0"
UNKNOWN_INSTRUMENT = "51001"
FAULTS = frozenset({"50000", "50001", "50004", "50005", "50006", "50007", "50014", "50026", "51000"})
_SPOT = "SPOT"


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
        max_age_ms=10 * MINUTE_MS,
        major_max_age_ms=MINUTE_MS,
        has_stream=True,
    )

    def __init__(self, client: SourceClient, clock: Clock) -> None:
        self._client = client
        self.markets = Markets("okx", self._load, clock)

    async def fetch(self, pairs: Sequence[Pair], limiter: RateLimiter = UNLIMITED) -> Mapping[Pair, TickOutcome]:
        """Return a tick or an error for each pair; raise a MeshError that concerns all of them."""
        asked, outcomes = await self.markets.split(pairs, limiter)
        if len(asked) == 1:
            outcomes.update(await self._one(*asked.popitem(), limiter))
        elif asked:
            outcomes.update(await self._all(asked, limiter))
        return outcomes

    async def _one(self, pair: Pair, name: str, limiter: RateLimiter) -> Mapping[Pair, TickOutcome]:
        answer = await self._client.get("/api/v5/market/ticker", {"instId": name}, limiter=limiter)
        if answer.fields.get("code") == UNKNOWN_INSTRUMENT:
            self.markets.expire()
            return {pair: UnknownPair(pair, "okx")}
        return self._ticks({pair: name}, self._rows(answer))

    async def _all(self, asked: Mapping[Pair, str], limiter: RateLimiter) -> Mapping[Pair, TickOutcome]:
        answer = await self._client.get("/api/v5/market/tickers", {"instType": _SPOT}, limiter=limiter)
        return self._ticks(asked, self._rows(answer))

    def _ticks(self, asked: Mapping[Pair, str], rows: Sequence[Any]) -> Mapping[Pair, TickOutcome]:
        named = shapes.by_name(rows, "instId")
        return {pair: self._tick(pair, name, named.get(name)) for pair, name in asked.items()}

    def _tick(self, pair: Pair, name: str, found: object) -> TickOutcome:
        try:
            row = shapes.record(found, name)
            shapes.expect_if_told(row, instType=_SPOT)
            state = shapes.text(row, "state") if "state" in row else LIVE
            tick = Tick(
                shapes.price(row, "last"),
                shapes.time_ms(row, "ts"),
                shapes.side(row, "bidPx"),
                shapes.side(row, "askPx"),
            )
        except Misshapen as error:
            return self._client.malformed(f"no last trade, time, bid and ask of {name}: {error}")
        return tick if state == LIVE else MarketHalted("okx", pair, state)

    async def _load(self, limiter: RateLimiter) -> Listed:
        answer = await self._client.get("/api/v5/public/instruments", {"instType": _SPOT}, limiter=limiter)
        markets = read_markets(self._rows(answer), _market)
        if not markets:
            raise self._client.malformed("no instruments")
        return Listed(markets, age_ms=answer.age_ms)

    def _rows(self, answer: Answer) -> Sequence[Any]:
        code = answer.fields.get("code")
        if answer.status != 200 or (code is not None and code != SUCCESS):
            raise self._failure(answer, shapes.hashable(code))
        try:
            shapes.expect(answer.fields, "code", SUCCESS)
            return shapes.rows(answer.fields.get("data"), "data")
        except Misshapen as error:
            raise self._client.without_data(answer, f"an answer without code and data: {error}") from None

    def _failure(self, answer: Answer, code: object) -> MeshError:
        if answer.status == 200 and code not in FAULTS:
            # That of too many requests is among them; what an unknown one asks for is at least not to ask more.
            return self._client.limited(answer.wait_ms)
        return self._client.failed(answer.status, f"code {shapes.shown(code)}")


def _market(row: Record) -> tuple[Pair, Market]:
    shapes.expect_if_told(row, instType=_SPOT)
    state = shapes.text(row, "state")
    return pair_in(row, ("baseCcy", "quoteCcy")), Market(shapes.text(row, "instId"), "" if state == LIVE else state)
