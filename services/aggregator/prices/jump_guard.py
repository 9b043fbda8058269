"""Doubt a price that is far from the last one of the same source, until something confirms it."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from cachetools import TLRUCache

from meshkit.clock import Clock
from services.aggregator.prices.pair import Pair

# A price of longer ago says nothing about the present one.
MEMORY_S = 3_600.0
# Prices that follow each other faster, as those of a stream do, confirm nothing: they are the same event.
CONFIRMATION_GAP_S = 1.0
_MOST_PAIRS = 10_000


@dataclass(slots=True)
class _Trail:
    """Hold the last accepted price, and the doubted one with how often it was seen, and when it counted last."""

    accepted: Decimal
    doubted: Decimal | None = None
    times: int = 0
    counted_at: float = 0.0


class JumpGuard:
    """
    Hold the last accepted prices of one source.

    A price over `bound_bps` basis points away from its predecessor passes only if the other sources agree with it, or
    as the last of `confirmations` prices that agree with each other and are a second apart at least. So a real jump is
    accepted within seconds, and so is the way back from an error that lasted too long.
    """

    def __init__(self, clock: Clock, bound_bps: int | None, confirmations: int) -> None:
        self._clock = clock
        self._bound = None if bound_bps is None else Decimal(bound_bps) / 10_000
        self._confirmations = confirmations
        self._trails: TLRUCache[Pair, _Trail] = TLRUCache(
            _MOST_PAIRS, lambda _pair, _trail, now: now + MEMORY_S, timer=clock.monotonic
        )

    def __len__(self) -> int:
        return len(self._trails)

    def forget(self, pair: Pair) -> None:
        """Forget a pair that nobody asks for."""
        self._trails.pop(pair, None)

    def passes(self, pair: Pair, price: Decimal, others: Callable[[], Decimal | None]) -> bool:
        """Tell whether the price is to be accepted, and remember it; `others` gives the other sources' median."""
        if self._bound is None:
            return True
        trail = self._trails.get(pair)
        if trail is None or self._agree(price, trail.accepted):
            return self._accept(pair, price)
        reference = others()
        if reference is not None and self._agree(price, reference):
            return self._accept(pair, price)
        now = self._clock.monotonic()
        if trail.doubted is None or not self._agree(price, trail.doubted):
            trail.doubted, trail.times, trail.counted_at = price, 1, now
        elif now - trail.counted_at >= CONFIRMATION_GAP_S:
            trail.times, trail.counted_at = trail.times + 1, now
        if trail.times >= self._confirmations:
            return self._accept(pair, price)
        return False

    def _accept(self, pair: Pair, price: Decimal) -> bool:
        self._trails[pair] = _Trail(price)
        return True

    def _agree(self, price: Decimal, other: Decimal) -> bool:
        return self._bound is not None and abs(price - other) <= self._bound * other
