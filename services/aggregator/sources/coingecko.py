"""CoinGecko API v3: aggregated prices of coin ids in currencies, any number in one call, with their update time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

from meshkit.clock import Clock
from meshkit.errors import MeshError
from services.aggregator.prices.errors import UnknownPair
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.sources.client import Answer, SourceClient
from services.aggregator.sources.listing import Listing
from services.aggregator.sources.source import UNLIMITED, Declaration, ExchangeTime, Key, RateLimiter, TickOutcome

LIMIT_CODE = 429
# No key, a plan without the endpoint, a demo key at the paying host and the reverse, the network before the service.
REFUSAL_CODES = frozenset({10002, 10005, 10010, 10011, 1020})


@dataclass(frozen=True, slots=True)
class Known:
    """Hold the ids and the currencies that there are; every id has a price in every currency."""

    ids: frozenset[str]
    currencies: frozenset[str]


def _fold(pair: Pair) -> Pair:
    """Return the pair with the coin's id in lower case, as all ids are, and the currency in upper case."""
    return Pair(pair.base.lower(), pair.quote.upper())


class CoinGeckoSource:
    """
    Fetch prices from CoinGecko.

    A base is a coin's id such as `bitcoin`, never its ticker, which many coins share. The list of ids is only loaded
    to tell an unknown pair from an incomplete answer.
    """

    DECLARATION: ClassVar[Declaration] = Declaration(
        name="coingecko",
        base_url="https://api.coingecko.com",
        hosts=("https://pro-api.coingecko.com",),
        max_batch=100,  # the bound keeps the URL below 8 KB
        rps=Fraction(1),
        max_concurrent=2,
        cool_down_ms=60_000,  # limits are counted by the minute
        fold=_fold,
        key=Key(
            required=False,
            header="x-cg-demo-api-key",
            host_headers=(("pro-api.coingecko.com", "x-cg-pro-api-key"),),
        ),
        exchange_time=ExchangeTime.UPDATE,
        is_aggregate=True,
    )

    def __init__(self, client: SourceClient, clock: Clock) -> None:
        self._client = client
        self._known = Listing(self._load_known, clock)

    async def fetch(self, pairs: Sequence[Pair], limiter: RateLimiter = UNLIMITED) -> Mapping[Pair, TickOutcome]:
        """Return a tick or an error for each pair; raise a MeshError that concerns all of them."""
        answer = await self._get(
            "/simple/price",
            {
                "ids": ",".join(sorted({pair.base.lower() for pair in pairs})),
                "vs_currencies": ",".join(sorted({pair.quote.lower() for pair in pairs})),
                "include_last_updated_at": "true",
                "precision": "full",  # without it prices are rounded
            },
            limiter,
        )
        if not isinstance(answer.body, dict):
            raise self._client.malformed("an answer that is no object")
        outcomes: dict[Pair, TickOutcome] = {}
        missing = []
        for pair in pairs:
            row = answer.fields.get(pair.base.lower())
            if isinstance(row, dict) and pair.quote.lower() in row:
                outcomes[pair] = self._tick(pair, row)
            else:
                missing.append(pair)
        return {**outcomes, **await self._explain(missing, limiter)} if missing else outcomes

    def _tick(self, pair: Pair, row: Mapping[str, Any]) -> TickOutcome:
        seconds = row.get("last_updated_at")
        if not isinstance(seconds, int):
            return self._client.malformed(f"no update time of {pair}")
        return Tick(row[pair.quote.lower()], seconds * 1000)

    async def _explain(self, missing: Sequence[Pair], limiter: RateLimiter) -> Mapping[Pair, TickOutcome]:
        """Return why the answer does not have these pairs: there is no such id or currency, or it is incomplete."""
        try:
            known = await self._known.names(limiter)
        except MeshError as error:
            return dict.fromkeys(missing, error)
        outcomes: dict[Pair, TickOutcome] = {}
        for pair in missing:
            if pair.base.lower() in known.ids and pair.quote.lower() in known.currencies:
                outcomes[pair] = self._client.malformed(f"an answer without {pair}, which is listed")
            else:
                outcomes[pair] = UnknownPair(pair, "coingecko")
                self._known.expire()
        return outcomes

    async def _load_known(self, limiter: RateLimiter) -> Known:
        coins = (await self._get("/coins/list", {}, limiter)).body
        currencies = (await self._get("/simple/supported_vs_currencies", {}, limiter)).body
        try:
            known = Known(frozenset(coin["id"] for coin in coins), frozenset(currencies))  # type: ignore[attr-defined, call-overload]
        except (KeyError, TypeError):
            raise self._client.malformed("no list of coins or of currencies") from None
        if not known.ids or not known.currencies:
            raise self._client.malformed("an empty list of coins or of currencies")
        return known

    async def _get(self, path: str, parameters: Mapping[str, str], limiter: RateLimiter) -> Answer:
        answer = await self._client.get(f"/api/v3{path}", parameters, limiter=limiter)
        if answer.status != 200 or _error_code(answer) is not None:
            raise self._failure(answer)
        return answer

    def _failure(self, answer: Answer) -> MeshError:
        code = _error_code(answer)
        if code == LIMIT_CODE:
            return self._client.limited(answer.wait_ms)
        if code in REFUSAL_CODES:
            return self._client.refused(f"code {code}")
        return self._client.fault(f"HTTP {answer.status}, code {code}")


def _error_code(answer: Answer) -> object:
    """Return the error of an answer in any of its three shapes, or None; `status` is also the id of a coin."""
    fields = answer.fields
    error = fields.get("error")
    if isinstance(error, str):
        return error
    status = error.get("status") if isinstance(error, dict) else fields.get("status")
    return status.get("error_code") if isinstance(status, dict) else None
