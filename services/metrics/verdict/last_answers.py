"""What a service said before it was restarted, kept for the moment that its restart takes: no link breaks for that."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from services.metrics.verdict.verdict import FeedSeen, Observation

# Longer than a restart takes on a busy machine, shorter than the shortest heartbeat that a feed may have.
KEPT_S: Final = 20.0
_COMING_BACK: Final = frozenset({"pending", "starting", "backoff"})
_AGGREGATOR, _OPERATOR = "price-aggregator", "operator"


@dataclass(slots=True)
class LastAnswers:
    """
    Fill in what a service that is being restarted said last, at most 20 s ago; its feeds' answers grow older by that.

    A service that the supervisor takes for healthy and that gives no answer, and one that does not come back by itself,
    are never helped out: there the silence is the finding. Nor is one that has not answered yet.
    """

    _sources: tuple[Observation, float] | None = None
    _chain: tuple[Observation, float] | None = None

    def fill(self, seen: Observation, now_s: float) -> Observation:
        """Return what is seen with what is missing filled in; `now_s` is the judge's monotonic clock."""
        coming_back = {each.name for each in seen.services or () if each.state in _COMING_BACK}
        if seen.sources is not None:
            self._sources = seen, now_s
        elif self._sources is not None and _AGGREGATOR in coming_back:
            before, then_s = self._sources
            if now_s - then_s <= KEPT_S:
                seen = replace(seen, sources=before.sources, clock=before.clock, priced=False)
        if seen.feeds is not None:
            self._chain = seen, now_s
        elif self._chain is not None and _OPERATOR in coming_back:
            before, then_s = self._chain
            if now_s - then_s <= KEPT_S:
                seen = replace(seen, feeds=_older(before.feeds or (), now_s - then_s), money=before.money)
        return seen


def _older(feeds: Sequence[FeedSeen], by_s: float) -> list[FeedSeen]:
    return [feed if feed.age_s is None else replace(feed, age_s=feed.age_s + by_s) for feed in feeds]
