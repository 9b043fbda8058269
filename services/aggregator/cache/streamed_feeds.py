"""
The feeds of which streams brought prices that their quotes are not made of yet.

    streamed price ──▶ noted ──┬──▶ at once: somebody follows the feed, or it has no quote
                               ├──▶ when it is asked for
                               └──▶ within `RENEW_S`: nobody wants it, but its guards have to see where prices go

Streams bring several prices of a feed in a second. A quote that nobody sees need not be made of each of them.
"""

from collections.abc import Callable, Iterable
from itertools import islice

from meshkit.clock import Clock
from services.aggregator.cache.current_quotes import CurrentQuotes
from services.aggregator.prices.feeds import FeedMap
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Quote

# Beside the hold times of the guards, and the time to live of any source's price, this is a moment.
RENEW_S = 1.0


class StreamedFeeds:
    """
    Hold what is to be renewed, and renew it when it is time.

    Args:
        renew: Make a feed's quote anew.

    Attributes:
        version: Grows with every feed that is noted.
    """

    def __init__(self, feeds: FeedMap, current: CurrentQuotes, clock: Clock, renew: Callable[[Pair], None]) -> None:
        self._feeds = feeds
        self._current = current
        self._clock = clock
        self._renew = renew
        # Those that cannot wait, and of the others the moment at which they are due, earliest first.
        self._wanted: dict[Pair, None] = {}
        self._waiting: dict[Pair, float] = {}
        self._made_of: dict[Pair, tuple[Pair, ...]] = {}
        self.version = 0

    def add(self, feeds: Iterable[Pair]) -> None:
        """Note that a stream brought a price of these feeds."""
        self.version += 1
        for feed in feeds:
            if self._is_wanted(feed):
                self._waiting.pop(feed, None)
                self._wanted[feed] = None
            elif feed not in self._wanted and feed not in self._waiting:
                self._waiting[feed] = self._clock.monotonic() + RENEW_S

    def settle(self, feed: Pair) -> None:
        """Renew a feed's quote and those that it is made of, as far as they have to be."""
        if self._waiting or self._wanted:
            for each in self._made_of.get(feed) or self._read(feed):
                if each in self._waiting or each in self._wanted:
                    self._renew_now(each)

    def renew(self, most: int) -> bool:
        """Renew so many, be they due or not; tell whether there are more."""
        for feed in list(islice((*self._wanted, *self._waiting), most)):
            self._renew_now(feed)
        return bool(self._wanted or self._waiting)

    def renew_wanted(self, most: int) -> bool:
        """Renew so many of those that cannot wait; tell whether there are more."""
        for feed in list(islice(self._wanted, most)):
            self._renew_now(feed)
        return bool(self._wanted)

    def renew_due(self, most: int) -> float | None:
        """Renew so many of those that are due; return when the next one is, None if there is none."""
        now = self._clock.monotonic()
        for feed, due_at in list(islice(self._waiting.items(), most)):
            if due_at > now:
                break
            self._renew_now(feed)
        return next(iter(self._waiting.values()), None)

    def _renew_now(self, feed: Pair) -> None:
        self._wanted.pop(feed, None)
        self._waiting.pop(feed, None)
        self._renew(feed)

    def _read(self, feed: Pair) -> tuple[Pair, ...]:
        """Return a feed and those that it is made of, these first."""
        found, waiting = {feed: None}, [feed]
        while waiting:
            for leg in self._feeds.legs(waiting.pop()):
                if leg not in found:
                    found[leg] = None
                    waiting.append(leg)
        self._made_of[feed] = tuple(reversed(found))
        return self._made_of[feed]

    def _is_wanted(self, feed: Pair) -> bool:
        if not isinstance(self._current.get(feed), Quote):
            return True
        return self._current.is_any_followed and self._is_followed(feed)

    def _is_followed(self, feed: Pair) -> bool:
        return self._current.is_followed(feed) or any(map(self._is_followed, self._feeds.dependents(feed)))
