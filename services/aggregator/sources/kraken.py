"""Kraken REST: last trade, bid and ask of a list of pairs, answered under internal names, errors inside HTTP 200."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, ClassVar

from meshkit.clock import Clock
from meshkit.errors import MeshError
from services.aggregator.prices.errors import PriceRefused, UnknownPair
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.sources import shapes
from services.aggregator.sources.batch_halving import in_halves
from services.aggregator.sources.client import Answer, SourceClient
from services.aggregator.sources.life_signs import LifeSigns
from services.aggregator.sources.markets import Listed, Market, Markets, read_markets
from services.aggregator.sources.shapes import Misshapen, Record
from services.aggregator.sources.source import MINUTE_MS, UNLIMITED, Declaration, RateLimiter, TickOutcome

# Kraken's own names of assets that the rest of the world calls otherwise, those with the class letter of before 2018.
OWN_NAMES = {"XBT": "BTC", "XDG": "DOGE", "XXBT": "BTC", "XXDG": "DOGE"}
_OLD_COINS = "ETC ETH LTC MLN REP XLM XMR XRP ZEC"
_OLD_CURRENCIES = "AUD CAD EUR GBP JPY USD"
OWN_NAMES |= {f"X{name}": name for name in _OLD_COINS.split()} | {f"Z{name}": name for name in _OLD_CURRENCIES.split()}
# In all other statuses nobody trades; with limit orders only, trades go on.
TRADING = frozenset({"online", "limit_only"})
_NAME = "name"
_UNKNOWN = "Unknown asset pair"
_LIMITS = ("Too many requests", "Rate limit exceeded", "Throttled", "Temporary lockout")
_REFUSALS = ("Permission denied", "Invalid key", "Invalid signature")
_FAULTS = ("Unavailable", "Busy", "Internal error", "Timeout", "Deadline elapsed", "Market in")
# What moves in an answer while a market lives: last trade, best offers, volume, number of trades.
_MARKS = ("c", "a", "b", "v", "t")


def _fold(pair: Pair) -> Pair:
    """Return the pair in upper case and in the world's names: BTC/USD for XBT/USD and for XXBT/ZUSD."""
    base, quote = pair.upper()
    return Pair(OWN_NAMES.get(base, base), OWN_NAMES.get(quote, quote))


class KrakenSource:
    """Fetch tickers from Kraken; an answer's keys are internal names such as XXBTZUSD, whatever was asked."""

    DECLARATION: ClassVar[Declaration] = Declaration(
        name="kraken",
        base_url="https://api.kraken.com",
        max_batch=50,
        rps=Fraction(1),
        max_concurrent=1,  # about one request a second is always allowed
        cool_down_ms=5_000,
        fold=_fold,
        has_stream=True,
        major_max_age_ms=5 * MINUTE_MS,
    )

    def __init__(self, client: SourceClient, clock: Clock) -> None:
        self._client = client
        self._life = LifeSigns(clock)
        self.markets = Markets("kraken", self._load, clock)

    async def fetch(self, pairs: Sequence[Pair], limiter: RateLimiter = UNLIMITED) -> Mapping[Pair, TickOutcome]:
        """Return a tick or an error for each pair; raise a MeshError that concerns all of them."""
        asked, others = await self.markets.split(pairs, limiter)
        return {**others, **await self._tickers(asked, limiter)} if asked else others

    async def _tickers(self, asked: Mapping[Pair, str], limiter: RateLimiter) -> Mapping[Pair, TickOutcome]:
        answer = await self._client.get("/0/public/Ticker", {"pair": ",".join(asked.values())}, limiter=limiter)
        if any(_UNKNOWN in error for error in _errors(answer)):
            self.markets.expire()
            if len(asked) == 1:
                return {pair: UnknownPair(pair, "kraken") for pair in asked}
            return await in_halves(asked, self._tickers, limiter)
        result = self._result(answer)
        return {pair: self._tick(pair, name, result.get(name), answer) for pair, name in asked.items()}

    def _tick(self, pair: Pair, name: str, found: object, answer: Answer) -> TickOutcome:
        try:
            row = shapes.record(found, name)
            price = shapes.number(_first(row, "c"), "c")
            bid, ask = (shapes.side_of(_first(row, side), side) if row.get(side) else None for side in ("b", "a"))
        except Misshapen as error:
            return self._client.malformed(f"no last trade, bid and ask of {name}: {error}")
        mark = [row.get(field) for field in _MARKS]
        still_s = self.DECLARATION.max_age_of(pair) / 1000
        if not self._life.is_alive(pair, mark, self.markets.confirmed_at(pair), longest_still_s=still_s):
            why = "its market shows no sign of life: neither its status nor its trades, book and volume"
            return PriceRefused("kraken", pair, str(price), why, rule="lifeless")
        return Tick(price, bid=bid, ask=ask, age_ms=answer.age_ms)

    async def _load(self, limiter: RateLimiter) -> Listed:
        answer = await self._client.get("/0/public/AssetPairs", limiter=limiter)
        rows = [{**row, _NAME: name} for name, row in self._result(answer).items() if isinstance(row, dict)]
        markets = read_markets(rows, _market)
        if not markets:
            raise self._client.malformed("AssetPairs without any pair")
        return Listed(markets, age_ms=answer.age_ms)

    def _result(self, answer: Answer) -> Record:
        errors = _errors(answer)
        if errors or answer.status != 200:
            raise self._failure(answer, errors)
        try:
            return shapes.record(answer.fields.get("result"), "result")
        except Misshapen as error:
            raise self._client.without_data(answer, f"an answer without a result: {error}") from None

    def _failure(self, answer: Answer, errors: Sequence[str]) -> MeshError:
        told = ", ".join(errors) or "no error text"
        if _any_of(_REFUSALS, errors):
            return self._client.refused(told)
        # In unknown words, a refusal is taken for a limit: to ask less is never wrong.
        if answer.status == 200 and not _any_of(_FAULTS, errors):
            return self._client.limited(answer.wait_ms)
        return (
            self._client.limited(answer.wait_ms)
            if _any_of(_LIMITS, errors)
            else self._client.failed(answer.status, told)
        )


def _market(row: Record) -> tuple[Pair, Market]:
    name, wsname = shapes.text(row, _NAME), shapes.text(row, "wsname")
    # Dark pools have the same assets as the public book, and some entries have no wsname.
    base, slash, quote = wsname.partition("/")
    if name.endswith(".d") or not slash:
        raise Misshapen("wsname", wsname, "that of a public book")
    status = shapes.text(row, "status") if "status" in row else "online"
    return _fold(Pair(base, quote)), Market(name, "" if status in TRADING else status)


def _first(row: Record, field: str) -> Any:
    """Return the first of a field's texts, which is the price."""
    found = shapes.rows(row.get(field), field)
    return found[0] if found else None


def _errors(answer: Answer) -> list[str]:
    """Return the texts of the errors; warnings, which begin with W, are none."""
    errors = answer.fields.get("error")
    if not isinstance(errors, list):
        return []
    return [error for error in errors if isinstance(error, str) and not error.startswith("W")]


def _any_of(signs: Sequence[str], errors: Sequence[str]) -> bool:
    return any(sign in error for sign in signs for error in errors)
