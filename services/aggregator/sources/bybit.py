"""Bybit v5 REST: last trade, bid and ask with the answer's time; one symbol or all of them, errors in HTTP 200."""

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

SUCCESS = 0
# Any parameter error; only its text tells that it is the symbol.
PARAMETER_ERROR = 10001
UNKNOWN_SYMBOL = "not supported symbols"
LIMITS = frozenset({10006, 10018})
REFUSALS = frozenset({10009, 10024})
# An address that asks too often gets this text with HTTP 403, as which a forbidden country comes too.
ADDRESS_LIMIT = "access too frequent"
ADDRESS_LIMIT_MS = 600_000


class BybitSource:
    """Fetch spot tickers from Bybit; other categories have the same symbols, so the category is always given."""

    DECLARATION: ClassVar[Declaration] = Declaration(
        name="bybit",
        base_url="https://api.bybit.com",
        hosts=("https://api.bytick.com", "https://api.bybit.nl", "https://api.bybit.eu", "https://api.bybit.kz"),
        max_batch=1_000,  # there is no list of symbols, but one call has all of them
        rps=Fraction(120),
        cool_down_ms=5_000,  # 600 requests in 5 s
        reset_header="X-Bapi-Limit-Reset-Timestamp",
        exchange_time=ExchangeTime.ANSWER,
        has_stream=True,
    )

    def __init__(self, client: SourceClient, clock: Clock) -> None:
        self._client = client
        self._listing = PairListing("bybit", self._load_listing, clock)

    async def fetch(self, pairs: Sequence[Pair], limiter: RateLimiter = UNLIMITED) -> Mapping[Pair, TickOutcome]:
        """Return a tick or an error for each pair; raise a MeshError that concerns all of them."""
        asked, outcomes = await self._listing.split(pairs, limiter)
        if asked:
            outcomes.update(await self._tickers(asked, limiter))
        return outcomes

    async def _tickers(self, asked: Mapping[Pair, str], limiter: RateLimiter) -> Mapping[Pair, TickOutcome]:
        single = next(iter(asked)) if len(asked) == 1 else None
        parameters = {} if single is None else {"symbol": asked[single]}
        answer = await self._get("/v5/market/tickers", parameters, limiter)
        if single is not None and _is_unknown_symbol(answer):
            self._listing.expire()
            return {single: UnknownPair(single, "bybit")}
        rows = {row.get("symbol"): row for row in self._rows(answer) if isinstance(row, dict)}
        time_ms = answer.fields.get("time")
        if not isinstance(time_ms, int):
            raise self._client.malformed("an answer without a time")
        return {pair: self._tick(name, rows.get(name), time_ms) for pair, name in asked.items()}

    def _tick(self, name: str, row: Any, time_ms: int) -> TickOutcome:
        try:
            # A side of the book without orders is an empty text.
            return Tick(row["lastPrice"], time_ms, row["bid1Price"] or None, row["ask1Price"] or None)
        except (KeyError, TypeError):
            return self._client.malformed(f"no last trade, bid and ask of {name}")

    async def _load_listing(self, limiter: RateLimiter) -> Mapping[Pair, str]:
        rows = self._rows(await self._get("/v5/market/instruments-info", {}, limiter))
        try:
            trading = [row for row in rows if row["status"] == "Trading"]
            names = {Pair(row["baseCoin"], row["quoteCoin"]): row["symbol"] for row in trading}
        except (KeyError, TypeError) as error:
            raise self._client.malformed(f"an instrument without {error}") from None
        if not names:
            raise self._client.malformed("no instruments")
        return names

    async def _get(self, path: str, parameters: Mapping[str, str], limiter: RateLimiter) -> Answer:
        answer = await self._client.get(path, {"category": "spot", **parameters}, limiter=limiter, reads=(403,))
        if answer.status == 403:
            if ADDRESS_LIMIT in str(answer.body).lower():
                raise self._client.limited(answer.wait_ms or ADDRESS_LIMIT_MS)
            raise self._client.refused("HTTP 403")
        return answer

    def _rows(self, answer: Answer) -> Sequence[Any]:
        code, result = answer.fields.get("retCode"), answer.fields.get("result")
        if answer.status != 200 or (code is not None and code != SUCCESS):
            raise self._failure(answer, code)
        rows = result.get("list") if isinstance(result, dict) else None
        if code is None or not isinstance(rows, list):
            raise self._client.malformed("an answer without retCode and list")
        return rows

    def _failure(self, answer: Answer, code: object) -> MeshError:
        if code in LIMITS:
            return self._client.limited(answer.wait_ms)
        if code in REFUSALS:
            return self._client.refused(f"code {code}")
        return self._client.fault(f"HTTP {answer.status}, code {code}")


def _is_unknown_symbol(answer: Answer) -> bool:
    return (
        answer.fields.get("retCode") == PARAMETER_ERROR
        and UNKNOWN_SYMBOL in str(answer.fields.get("retMsg", "")).lower()
    )
