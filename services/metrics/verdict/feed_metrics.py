"""Each feed from outside: its answer on chain, the market's price, the gap, and why it has no new round."""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Final

from meshkit.metrics import Distribution, Metric, Registry, Sample
from services.metrics.verdict.verdict import FeedSeen, Limits, Observation

STATES: Final = ("fresh", "late", "no_price", "too_few_oracles", "clock_off", "chain_away", "not_set_up")
GAP_BOUNDS_BPS: Final = (1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0)
_FEED: Final = ("feed",)

FEED_METRICS: Final = (
    Metric("feedmesh_feed_answer", "gauge", "Last answer on chain; absent before the first.", _FEED, derived=True),
    Metric(
        "feedmesh_feed_answer_timestamp_seconds",
        "gauge",
        "Block time of the last answer; absent before the first.",
        _FEED,
        derived=True,
    ),
    Metric("feedmesh_feed_round", "gauge", "Number of the last round on chain; 0 before one.", _FEED, derived=True),
    Metric(
        "feedmesh_feed_market_price", "gauge", "The aggregator's price; absent where it has none.", _FEED, derived=True
    ),
    Metric(
        "feedmesh_feed_gap_bps",
        "gauge",
        "By how many basis points the market's price is above the answer on chain, negative if below.",
        _FEED,
        derived=True,
    ),
    Metric(
        "feedmesh_feed_gap_distribution_bps",
        "histogram",
        "The size of that gap, measured every five seconds.",
        _FEED,
        GAP_BOUNDS_BPS,
        derived=True,
    ),
    Metric(
        "feedmesh_feed_state",
        "gauge",
        "1 for the state that the feed is in, 0 for all others: fresh, or the first of what keeps back a new round: "
        "our own clock is off, the chain gives no answer, too few oracles are up, it is not set up, it has no price, "
        "or its answer is late for a reason that only the nodes know.",
        ("feed", "state"),
        derived=True,
    ),
    Metric("feedmesh_feed_heartbeat_seconds", "gauge", "Longest time between two answers.", _FEED, derived=True),
    Metric("feedmesh_feed_deviation_bps", "gauge", "Change of the price that causes an answer.", _FEED, derived=True),
    Metric(
        "feedmesh_oracles",
        "gauge",
        "Oracles of the mesh that are up, and that a report needs.",
        ("part",),
        derived=True,
    ),
)


class FeedMetrics:
    """Show what was last observed of the feeds, and count the gaps."""

    def __init__(self, limits: Limits, registry: Registry) -> None:
        self._limits = limits
        self._seen: dict[str, FeedSeen] = {}
        self._states: dict[str, str] = {}
        self._gaps_bps: dict[str, Decimal] = {}
        self._distributions: dict[str, Distribution] = {}
        self._up = 0
        by_feed: dict[str, Callable[[FeedSeen], float | None]] = {
            "feedmesh_feed_answer": lambda feed: None if feed.answer is None else float(feed.answer),
            "feedmesh_feed_answer_timestamp_seconds": lambda feed: feed.updated_s,
            "feedmesh_feed_round": lambda feed: feed.round_id,
            "feedmesh_feed_market_price": lambda feed: None if feed.market is None else float(feed.market),
        }
        for name, value in by_feed.items():
            registry.derive(name, partial(self._of_feeds, value))
        registry.derive(
            "feedmesh_feed_gap_bps", lambda: (((feed,), float(gap)) for feed, gap in self._gaps_bps.items())
        )
        registry.derive(
            "feedmesh_feed_gap_distribution_bps",
            lambda: (((feed,), each) for feed, each in self._distributions.items()),
        )
        registry.derive("feedmesh_feed_state", self._state_set)
        registry.derive("feedmesh_feed_heartbeat_seconds", lambda: _by_feed(limits.heartbeats_s))
        registry.derive("feedmesh_feed_deviation_bps", lambda: _by_feed(limits.deviations_bps))
        registry.derive("feedmesh_oracles", lambda: [(("up",), self._up), (("needed",), limits.quorum)])

    def note(self, seen: Observation, watched_s: float) -> None:
        """Take in an observation; while the chain gives no answer, what was last seen of the feeds stays."""
        self._up = sum(each.name in self._limits.oracles and each.state == "healthy" for each in seen.services or ())
        if seen.feeds is not None:
            self._seen = {feed.name: feed for feed in seen.feeds}
            self._gaps_bps = {feed.name: gap for feed in seen.feeds if (gap := gap_bps(feed)) is not None}
            for name, gap in self._gaps_bps.items():
                self._distributions.setdefault(name, Distribution.of(GAP_BOUNDS_BPS)).observe(float(abs(gap)))
        self._states = {name: state_of(feed, seen, self._limits, watched_s) for name, feed in self._seen.items()}

    def _of_feeds(self, value: Callable[[FeedSeen], float | None]) -> Iterator[Sample]:
        for name, feed in self._seen.items():
            if (known := value(feed)) is not None:
                yield (name,), known

    def _state_set(self) -> Iterator[Sample]:
        for name, current in self._states.items():
            for state in STATES:
                yield (name, state), float(state == current)


def _by_feed(values: Mapping[str, float | Decimal | Distribution]) -> Iterator[Sample]:
    for feed, value in values.items():
        yield (feed,), value if isinstance(value, Distribution) else float(value)


def gap_bps(feed: FeedSeen) -> Decimal | None:
    """Return by how many basis points the market is above the answer; None without one of the two."""
    try:
        answer, market = Decimal(feed.answer or ""), Decimal(feed.market or "")
    except InvalidOperation:
        return None
    return (market - answer) / answer * 10_000 if answer else None


def state_of(feed: FeedSeen, seen: Observation, limits: Limits, watched_s: float) -> str:
    """Return the state of a feed: the first thing on a price's way that keeps back a new round, or fresh."""
    up = sum(each.name in limits.oracles and each.state == "healthy" for each in seen.services or ())
    if seen.clock is not None and seen.clock.off:
        return "clock_off"
    if seen.feeds is None:
        return "chain_away"
    if seen.services is not None and up < limits.quorum:
        return "too_few_oracles"
    if not feed.running:
        return "not_set_up"
    if seen.sources is None or (seen.priced and feed.market is None):
        return "no_price"
    if feed.age_s is None:
        return "late" if watched_s > limits.start_s else "fresh"
    return "late" if feed.age_s > limits.longest_ages_s.get(feed.name, limits.longest_age_s) else "fresh"
