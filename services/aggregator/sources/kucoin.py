"""KuCoin REST: last trade, bid and ask with the answer's time; one symbol or all of them, errors in HTTP 200."""

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
SUCCESS = "200000"
# The first says that the pair does not exist, the second is its form on other endpoints: a symbol that is no symbol.
UNKNOWN_SYMBOL = frozenset({"900001", "400100"})
# The limit of the weight pool, which also means that the server is overloaded.
TOO_MANY_REQUESTS = "429000"
# The limit of one endpoint, which lasts 10 s.
ENDPOINT_LIMIT = "200002"


class KucoinSource:
    """Fetch spot tickers from KuCoin; a symbol is base and quote with a dash, and stays when an asset is renamed."""

    DECLARATION: ClassVar[Declaration] = Declaration(
        name="kucoin",
        base_url="https://api.kucoin.com",
        max_batch=1_000,  # there is no list of symbols, but one call has all of them
        rps=Fraction(30),
        cool_down_ms=10_000,
        reset_header="gw-ratelimit-reset",
        exchange_time=ExchangeTime.UPDATE,
        has_stream=True,
    )

    def __init__(self, client: SourceClient, clock: Clock) -> None:
        self._client = client
        self._listing = PairListing("kucoin", self._load_listing, clock)

    async def fetch(self, pairs: Sequence[Pair], limiter: RateLimiter = UNLIMITED) -> Mapping[Pair, TickOutcome]:
        """Return a tick or an error for each pair; raise a MeshError that concerns all of them."""
        asked, outcomes = await self._listing.split(pairs, limiter)
        if len(asked) == 1:
            outcomes.update(await self._one(*asked.popitem(), limiter))
        elif asked:
            outcomes.update(await self._all(asked, limiter))
        return outcomes

    async def _one(self, pair: Pair, name: str, limiter: RateLimiter) -> Mapping[Pair, TickOutcome]:
        answer = await self._client.get("/api/v1/market/orderbook/level1", {"symbol": name}, limiter=limiter)
        fields = answer.fields
        is_null = fields.get("code") == SUCCESS and "data" in fields and fields["data"] is None
        if is_null or fields.get("code") in UNKNOWN_SYMBOL:
            self._listing.expire()
            return {pair: UnknownPair(pair, "kucoin")}
        data = self._data(answer)
        try:
            return {pair: Tick(data["price"], int(data["time"]), data["bestBid"], data["bestAsk"])}
        except (KeyError, TypeError, ValueError):
            return {pair: self._client.malformed(f"no price, time, bid and ask of {name}")}

    async def _all(self, asked: Mapping[Pair, str], limiter: RateLimiter) -> Mapping[Pair, TickOutcome]:
        data = self._data(await self._client.get("/api/v1/market/allTickers", limiter=limiter))
        try:
            time_ms = int(data["time"])
            rows = {row["symbol"]: row for row in data["ticker"]}
        except (KeyError, TypeError, ValueError):
            raise self._client.malformed("an answer without time and tickers") from None
        return {pair: self._tick(name, rows.get(name), time_ms) for pair, name in asked.items()}

    def _tick(self, name: str, row: Any, time_ms: int) -> TickOutcome:
        try:
            return Tick(row["last"], time_ms, row["buy"], row["sell"])
        except (KeyError, TypeError):
            return self._client.malformed(f"no last trade, bid and ask of {name}")

    async def _load_listing(self, limiter: RateLimiter) -> Mapping[Pair, str]:
        rows = self._data(await self._client.get("/api/v2/symbols", limiter=limiter))
        try:
            names = {
                Pair(row["baseCurrency"], row["quoteCurrency"]): row["symbol"] for row in rows if row["enableTrading"]
            }
        except (KeyError, TypeError) as error:
            raise self._client.malformed(f"a symbol without {error}") from None
        if not names:
            raise self._client.malformed("no symbols")
        return names

    def _data(self, answer: Answer) -> Any:
        code = answer.fields.get("code")
        if answer.status != 200 or (code is not None and code != SUCCESS):
            raise self._failure(answer, code)
        if "data" not in answer.fields or code is None:
            raise self._client.malformed("an answer without code and data")
        return answer.fields["data"]

    def _failure(self, answer: Answer, code: object) -> MeshError:
        if code in (TOO_MANY_REQUESTS, ENDPOINT_LIMIT):
            # The reset of the weight pool comes with every answer and says nothing about these two.
            return self._client.limited()
        return self._client.fault(f"HTTP {answer.status}, code {code}")
