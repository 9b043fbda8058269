"""Finnhub: one quote a call with its time; coins as Binance has them, currencies as Oanda has them, US shares."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import ClassVar

from meshkit.clock import Clock
from services.aggregator.prices.errors import UnknownPair
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.sources import shapes
from services.aggregator.sources.client import Answer, SourceClient
from services.aggregator.sources.markets import Listed, Market, Markets, read_markets
from services.aggregator.sources.shapes import Misshapen
from services.aggregator.sources.source import (
    MINUTE_MS,
    UNLIMITED,
    Declaration,
    ExchangeTime,
    Key,
    RateLimiter,
    TickOutcome,
)

REFUSAL_SIGNS = ("api key", "don't have access")
SHARE_CURRENCY = "USD"
# Coins that are never meant to be the shares or funds of the same tickers, listed or not.
_COINS = "ADA AVAX BCH BNB BTC DOGE ETC ETH LINK LTC SOL TRX XLM XMR XRP"
COINS = frozenset(_COINS.split())


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
        major_max_age_ms=10 * MINUTE_MS,
        has_stream=True,
        is_aggregate=True,  # its coins are Binance's trades
    )

    def __init__(self, client: SourceClient, clock: Clock) -> None:
        self._client = client
        self.markets = Markets("finnhub", self._load, clock, has_statuses=False)

    async def fetch(self, pairs: Sequence[Pair], limiter: RateLimiter = UNLIMITED) -> Mapping[Pair, TickOutcome]:
        """Return a tick or an error for each pair; raise a MeshError that concerns all of them."""
        listed = await self.markets.listed(limiter)
        assets = {pair.base for pair in listed.markets} | COINS
        outcomes: dict[Pair, TickOutcome] = {}
        for pair in pairs:
            name = self.markets.symbol(pair)
            if name is None and pair.quote == SHARE_CURRENCY and pair.base not in assets and listed.is_whole:
                name = pair.base
            if name is not None:
                outcomes[pair] = await self._quote(pair, name, limiter)
            elif not listed.is_whole:
                outcomes[pair] = self._client.malformed(f"lists that cannot be read as a whole, without {pair}")
            else:
                self.markets.expire()
                outcomes[pair] = UnknownPair(pair, "finnhub")
        return outcomes

    async def _quote(self, pair: Pair, name: str, limiter: RateLimiter) -> TickOutcome:
        answer = await self._client.get("/api/v1/quote", {"symbol": name}, limiter=limiter, reads=(403,))
        if answer.status == 403:
            # The plan does not have this symbol, which says nothing about others.
            return self._client.refused(f"HTTP 403 for {name}")
        self._check(answer)
        try:
            shapes.expect_if_told(answer.fields, symbol=name)
            price, time_ms = shapes.price(answer.fields, "c"), shapes.time_s(answer.fields, "t")
        except Misshapen as error:
            return self._client.without_data(answer, f"no price and time of {name}: {error}")
        if price == 0 and time_ms == 0:
            return UnknownPair(pair, "finnhub")
        return Tick(price, time_ms)

    async def _load(self, limiter: RateLimiter) -> Listed:
        markets: dict[Pair, Market] = {}
        is_whole = True
        for path, exchange in (("/api/v1/crypto/symbol", "BINANCE"), ("/api/v1/forex/symbol", "oanda")):
            answer = await self._client.get(path, {"exchange": exchange}, limiter=limiter)
            self._check(answer)
            try:
                rows = shapes.rows(answer.body, path)
            except Misshapen as error:
                raise self._client.malformed(f"no list of symbols: {error}") from None
            read = read_markets(rows, _symbol)
            is_whole = is_whole and len(read) == len(rows)
            markets |= read
        if not markets:
            raise self._client.malformed("an empty list of symbols")
        return Listed(markets, is_whole=is_whole)

    def _check(self, answer: Answer) -> None:
        error = answer.fields.get("error")
        if error is not None and any(sign in str(shapes.shown(error)).lower() for sign in REFUSAL_SIGNS):
            raise self._client.refused("the key or the plan does not allow this")
        if error is not None and answer.status == 200:
            # That of too many calls, and any in words that are new to us: to ask less is never wrong.
            raise self._client.limited(answer.wait_ms)
        if error is not None or answer.status != 200:
            raise self._client.failed(answer.status, "an error")


def _symbol(row: shapes.Record) -> tuple[Pair, Market]:
    base, _, quote = shapes.text(row, "displaySymbol").partition("/")
    return Pair(base, quote), Market(shapes.text(row, "symbol"))
