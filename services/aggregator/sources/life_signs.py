"""
Whether a market lives whose prices have no time of their own.

An exchange goes on telling the last price of a market that it has halted, or that its engine no longer serves. So such
a price counts only while something shows that the market is alive: the exchange said so a moment ago, or what belongs
to the price (the price itself, the book, the volume) has moved since.
"""

from dataclasses import dataclass

from cachetools import TLRUCache

from meshkit.clock import Clock
from services.aggregator.prices.pair import Pair

# The status of a market is looked at within a minute, and a look takes its time.
LIFE_S = 70.0
_MEMORY_S = 86_400.0
_MOST_PAIRS = 10_000


@dataclass(frozen=True, slots=True)
class _Mark:
    """Hold what belonged to a price last, since when, and whether it was seen to become that."""

    value: object
    since: float
    has_moved: bool


class LifeSigns:
    """Remember when what belongs to the prices of a source moved last."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._marks: TLRUCache[Pair, _Mark] = TLRUCache(
            _MOST_PAIRS, lambda _pair, _mark, now: now + _MEMORY_S, timer=clock.monotonic
        )

    def is_alive(self, pair: Pair, mark: object, confirmed_at: float, *, longest_still_s: float | None = None) -> bool:
        """
        Tell whether the market of a pair shows a sign of life, and remember its mark.

        Args:
            pair: The pair as the source was asked for it.
            mark: What moves while the market lives, such as the price, the book and the volume together.
            confirmed_at: When the exchange last said that the pair is traded, as a monotonic moment.
            longest_still_s: After which time without a move the market is dead, whatever the exchange says of it.
        """
        now = self._clock.monotonic()
        last = self._marks.get(pair)
        if last is None:
            found = _Mark(mark, now, has_moved=False)
        elif mark != last.value:
            found = _Mark(mark, now, has_moved=True)
        else:
            found = last
        self._marks[pair] = found
        still_s = now - found.since
        if longest_still_s is not None and still_s > longest_still_s:
            return False
        return now - confirmed_at <= LIFE_S or (found.has_moved and still_s <= LIFE_S)
