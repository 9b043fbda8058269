"""Finnhub: one quote a call with its time; coins as Binance has them, currencies as Oanda has them, US shares."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import ClassVar

from meshkit.clock import Clock
from services.aggregator.prices.errors import UnknownPair
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.sources.client import Answer, SourceClient
from services.aggregator.sources.listing import Listing
from services.aggregator.sources.source import UNLIMITED, Declaration, ExchangeTime, Key, RateLimiter, TickOutcome

LIMIT_SIGN = "limit reached"
REFUSAL_SIGNS = ("api key", "don't have access")
SHARE_CURRENCY = "USD"


class FinnhubSource:
    """
    Fetch quotes from Finnhub.

    A pair that is listed among the coins or the currencies has that symbol; a base that is not, quoted in dollars, is
    the ticker of a share. A coin is never taken for the share of the same ticker.
    """

    DECLARATION: ClassVar[Declaration] = Declaration(
        name="finnhub",
        base_url="https://finnhub.io",
        max_batch=1,
        rps=Fraction(1),
        max_concurrent=4,
        cool_down_ms=60_000,  # 60 requests a minute
        key=Key(required=True, header="X-Finnhub-Token"),
        exchange_time=ExchangeTime.TRADE,
        has_stream=True,
        is_aggregate=True,  # its coins are Binance's trades
    )

    def __init__(self, client: SourceClient, clock: Clock) -> None:
        self._client = client
        self._listing = Listing(self._load_listing, clock)

    async def fetch(self, pairs: Sequence[Pair], limiter: RateLimiter = UNLIMITED) -> Mapping[Pair, TickOutcome]:
        """Return a tick or an error for each pair; raise a MeshError that concerns all of them."""
        names = await self._listing.names(limiter)
        assets = {pair.base for pair in names}
        outcomes: dict[Pair, TickOutcome] = {}
        for pair in pairs:
            name = names.get(pair)
            if name is None and pair.quote == SHARE_CURRENCY and pair.base not in assets:
                name = pair.base
            if name is None:
                self._listing.expire()
                outcomes[pair] = UnknownPair(pair, "finnhub")
            else:
                outcomes[pair] = await self._quote(pair, name, limiter)
        return outcomes

    async def _quote(self, pair: Pair, name: str, limiter: RateLimiter) -> TickOutcome:
        answer = await self._client.get("/api/v1/quote", {"symbol": name}, limiter=limiter, reads=(403,))
        if answer.status == 403:
            # The plan does not have this symbol, which says nothing about others.
            return self._client.refused(f"HTTP 403 for {name}")
        self._check(answer)
        price, seconds = answer.fields.get("c"), answer.fields.get("t")
        if price is None or not isinstance(seconds, int):
            raise self._client.malformed(f"no price and time of {name}")
        if price == 0 and seconds == 0:
            return UnknownPair(pair, "finnhub")
        return Tick(price, seconds * 1000)

    async def _load_listing(self, limiter: RateLimiter) -> Mapping[Pair, str]:
        names: dict[Pair, str] = {}
        for path, exchange in (("/api/v1/crypto/symbol", "BINANCE"), ("/api/v1/forex/symbol", "oanda")):
            answer = await self._client.get(path, {"exchange": exchange}, limiter=limiter)
            self._check(answer)
            try:
                for row in answer.body:  # type: ignore[attr-defined]
                    base, _, quote = row["displaySymbol"].partition("/")
                    names[Pair(base, quote)] = row["symbol"]
            except (KeyError, TypeError, AttributeError):
                raise self._client.malformed("no list of symbols") from None
        if not names:
            raise self._client.malformed("an empty list of symbols")
        return names

    def _check(self, answer: Answer) -> None:
        error = answer.fields.get("error")
        text = str(error).lower()
        if error is not None and LIMIT_SIGN in text:
            raise self._client.limited(answer.wait_ms)
        if error is not None and any(sign in text for sign in REFUSAL_SIGNS):
            raise self._client.refused("the key or the plan does not allow this")
        if error is not None or answer.status != 200:
            raise self._client.fault(f"HTTP {answer.status} with an error")
