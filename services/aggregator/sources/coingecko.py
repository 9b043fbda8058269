"""CoinGecko API v3: aggregated prices of coin ids in currencies, any number in one call, with their update time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from services.aggregator.sources.shapes import Misshapen, Record
from services.aggregator.sources.source import (
    MINUTE_MS,
    UNLIMITED,
    Declaration,
    ExchangeTime,
    Key,
    RateLimiter,
    TickOutcome,
)

LIMIT_CODE = 429
# The ids of the coins that trade everywhere and all the time.
MAJORS = {"bitcoin": "BTC", "ethereum": "ETH", "binancecoin": "BNB", "solana": "SOL", "ripple": "XRP"}
# No key, a plan without the endpoint, a demo key at the paying host and the reverse, the network before the service.
REFUSAL_CODES = frozenset({10002, 10005, 10010, 10011, 1020})


@dataclass(frozen=True, slots=True)
class Known:
    """Hold the ids and the currencies that could be read; every id has a price in every currency."""

    ids: frozenset[str]
    currencies: frozenset[str]
    is_whole: bool


def _fold(pair: Pair) -> Pair:
    """Return the pair with the coin's id in lower case, as all ids are, and the currency in upper case."""
    return Pair(pair.base.lower(), pair.quote.upper())


def _named(pair: Pair) -> Pair:
    """Return the pair with the ticker of a great coin in the place of its id."""
    return Pair(MAJORS.get(pair.base.lower(), pair.base), pair.quote.upper())


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
        major_max_age_ms=10 * MINUTE_MS,
        named=_named,
        is_aggregate=True,
    )

    def __init__(self, client: SourceClient, clock: Clock) -> None:
        self._client = client
        self._known = Listing("coingecko", self._load_known, clock, size=lambda known: len(known.ids))

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
        if not any(pair.base.lower() in answer.fields for pair in pairs):
            self._client.without_data(answer, "an answer without prices")
        outcomes: dict[Pair, TickOutcome] = {}
        missing = []
        for pair in pairs:
            row = answer.fields.get(pair.base.lower())
            if row is None or (isinstance(row, dict) and pair.quote.lower() not in row):
                missing.append(pair)
            else:
                outcomes[pair] = self._tick(pair, row)
        return {**outcomes, **await self._explain(missing, limiter)} if missing else outcomes

    def _tick(self, pair: Pair, found: object) -> TickOutcome:
        try:
            row = shapes.record(found, pair.base)
            return Tick(shapes.price(row, pair.quote.lower()), shapes.time_s(row, "last_updated_at"))
        except Misshapen as error:
            return self._client.malformed(f"no price and update time of {pair}: {error}")

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
            elif not known.is_whole:
                outcomes[pair] = self._client.malformed(f"lists that cannot be read as a whole, without {pair}")
            else:
                outcomes[pair] = UnknownPair(pair, "coingecko")
                self._known.expire()
        return outcomes

    async def _load_known(self, limiter: RateLimiter) -> Known:
        coins = (await self._get("/coins/list", {}, limiter)).body
        currencies = (await self._get("/simple/supported_vs_currencies", {}, limiter)).body
        try:
            coins, currencies = shapes.rows(coins, "coins"), shapes.rows(currencies, "currencies")
        except Misshapen as error:
            raise self._client.malformed(f"no list of coins or of currencies: {error}") from None
        ids = [coin["id"] for coin in coins if isinstance(coin, dict) and isinstance(coin.get("id"), str)]
        texts = [currency for currency in currencies if isinstance(currency, str)]
        if not ids or not texts:
            raise self._client.malformed("an empty list of coins or of currencies")
        is_whole = len(ids) == len(coins) and len(texts) == len(currencies)
        return Known(frozenset(ids), frozenset(texts), is_whole)

    async def _get(self, path: str, parameters: Mapping[str, str], limiter: RateLimiter) -> Answer:
        answer = await self._client.get(f"/api/v3{path}", parameters, limiter=limiter)
        if answer.status != 200 or _error_code(answer) is not None:
            raise self._failure(answer)
        return answer

    def _failure(self, answer: Answer) -> MeshError:
        code = shapes.hashable(_error_code(answer))
        if code in REFUSAL_CODES:
            return self._client.refused(f"code {code}")
        if code == LIMIT_CODE or answer.status == 200:
            # Whatever is told in the place of prices in unknown words asks for nothing so surely as for less calls.
            return self._client.limited(answer.wait_ms)
        return self._client.failed(answer.status, f"code {shapes.shown(code)}")


def _error_code(answer: Answer) -> object:
    """Return the error of an answer in any of its three shapes, or None; `status` is also the id of a coin."""
    fields: Record = answer.fields
    error = fields.get("error")
    if isinstance(error, str):
        return error
    status = error.get("status") if isinstance(error, dict) else fields.get("status")
    return status.get("error_code") if isinstance(status, dict) else fields.get("error_code")
