"""Kraken REST: last trade, bid and ask of a list of pairs, answered under internal names, errors inside HTTP 200."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import ClassVar

from meshkit.clock import Clock
from meshkit.errors import MeshError
from services.aggregator.prices.errors import UnknownPair
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.sources.batch_halving import in_halves
from services.aggregator.sources.client import Answer, SourceClient
from services.aggregator.sources.listing import PairListing
from services.aggregator.sources.source import UNLIMITED, Declaration, RateLimiter, TickOutcome

# Kraken's own names of the two assets that the rest of the world calls otherwise.
OWN_NAMES = {"XBT": "BTC", "XDG": "DOGE"}
_UNKNOWN = "Unknown asset pair"
_LIMITS = ("Too many requests", "Rate limit exceeded", "Throttled")


class KrakenSource:
    """Fetch tickers from Kraken; an answer's keys are internal names such as XXBTZUSD, whatever was asked."""

    DECLARATION: ClassVar[Declaration] = Declaration(
        name="kraken",
        base_url="https://api.kraken.com",
        max_batch=50,
        rps=Fraction(1),
        max_concurrent=1,  # about one request a second is always allowed
        cool_down_ms=5_000,
        has_stream=True,
    )

    def __init__(self, client: SourceClient, clock: Clock) -> None:
        self._client = client
        self._listing = PairListing("kraken", self._load_listing, clock)

    async def fetch(self, pairs: Sequence[Pair], limiter: RateLimiter = UNLIMITED) -> Mapping[Pair, TickOutcome]:
        """Return a tick or an error for each pair; raise a MeshError that concerns all of them."""
        asked, unknown = await self._listing.split(pairs, limiter)
        return {**unknown, **await self._tickers(asked, limiter)} if asked else unknown

    async def _tickers(self, asked: Mapping[Pair, str], limiter: RateLimiter) -> Mapping[Pair, TickOutcome]:
        answer = await self._client.get("/0/public/Ticker", {"pair": ",".join(asked.values())}, limiter=limiter)
        errors = _errors(answer)
        if any(_UNKNOWN in error for error in errors):
            self._listing.expire()
            if len(asked) == 1:
                return {pair: UnknownPair(pair, "kraken") for pair in asked}
            return await in_halves(asked, self._tickers, limiter)
        result = self._result(answer)
        return {pair: self._tick(name, result.get(name)) for pair, name in asked.items()}

    def _tick(self, name: str, row: object) -> TickOutcome:
        try:
            return Tick(row["c"][0], bid=row["b"][0], ask=row["a"][0])  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            return self._client.malformed(f"no last trade, bid and ask of {name}")

    async def _load_listing(self, limiter: RateLimiter) -> Mapping[Pair, str]:
        result = self._result(await self._client.get("/0/public/AssetPairs", limiter=limiter))
        names = {}
        for name, row in result.items():
            # Dark pools have the same assets as the public book, and some entries have no wsname.
            wsname = row.get("wsname")
            if name.endswith(".d") or not isinstance(wsname, str) or row.get("status", "online") != "online":
                continue
            base, _, quote = wsname.partition("/")
            names[Pair(OWN_NAMES.get(base, base), OWN_NAMES.get(quote, quote))] = name
        if not names:
            raise self._client.malformed("AssetPairs without any pair")
        return names

    def _result(self, answer: Answer) -> dict[str, dict[str, object]]:
        errors = _errors(answer)
        if errors or answer.status != 200:
            raise self._failure(answer.status, errors)
        result = answer.body.get("result") if isinstance(answer.body, dict) else None
        if not isinstance(result, dict) or not all(isinstance(row, dict) for row in result.values()):
            raise self._client.malformed("an answer without a result")
        return result

    def _failure(self, status: int, errors: Sequence[str]) -> MeshError:
        if any(limit in error for limit in _LIMITS for error in errors):
            return self._client.limited()
        return self._client.fault(f"HTTP {status}, {', '.join(errors) or 'no error text'}")


def _errors(answer: Answer) -> list[str]:
    errors = answer.body.get("error") if isinstance(answer.body, dict) else None
    return [str(error) for error in errors] if isinstance(errors, list) else []
