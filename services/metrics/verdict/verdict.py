"""
Whether the mesh does what it is for: pure decisions, observations in, one verdict out.

The links are looked at in the order of a price's way, so that the first broken one is the cause of those behind it:

    our own clock ── supervisor ── sources ── oracles ── chain ── feeds
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ServiceSeen:
    """Hold a service's name, its state's name in lower case, and whether that is a state to be in."""

    name: str
    state: str
    well: bool


@dataclass(frozen=True, slots=True)
class SourceSeen:
    """Hold a source's name and whether it can be asked now or streams."""

    name: str
    available: bool


@dataclass(frozen=True, slots=True)
class ClockSeen:
    """Hold whether our own clock is off by what the sources say, by how much it is ahead, and how many say so."""

    off: bool
    ahead_ms: int
    agreeing: int
    timed: int


@dataclass(frozen=True, slots=True)
class FeedSeen:
    """
    Hold a feed, whether it is set up on chain and in the nodes, and the age of its last answer; None before one.

    `answer` and `market` are decimal text, None where there is none; `updated_s` is the answer's block time.
    """

    name: str
    running: bool
    age_s: float | None
    answer: str | None = None
    updated_s: float | None = None
    round_id: int = 0
    market: str | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """
    Hold what was seen of the mesh at one moment.

    A part that gave no answer is None, and `trouble` has its words by part: supervisor, sources, chain. `priced` tells
    whether the aggregator was asked for prices and answered, so that a feed without one has none.
    """

    services: Sequence[ServiceSeen] | None
    sources: Sequence[SourceSeen] | None
    feeds: Sequence[FeedSeen] | None
    trouble: dict[str, str]
    clock: ClockSeen | None = None
    priced: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """
    Hold what is demanded.

    `oracles`: the names of all oracle nodes. `longest_age_s`: a feed's heartbeat plus a margin; `longest_ages_s`: that
    of feeds which have one of their own. `start_s`: how long a feed may take to its first answer, counted from the
    start of whoever judges. `heartbeat_s` and `deviation_bps` are the feeds' own, without a margin.
    """

    oracles: frozenset[str]
    longest_age_s: float
    start_s: float
    longest_ages_s: Mapping[str, float] = field(default_factory=dict)
    heartbeat_s: float = 0.0
    deviation_bps: float = 0.0

    @property
    def quorum(self) -> int:
        """Return 2f+1 of n oracles, f = ⌊(n-1)/3⌋: with fewer there is no report."""
        return 2 * ((len(self.oracles) - 1) // 3) + 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    Hold the links that are broken, in words, in the order of a price's way; none if all is well.

    `remarks` are faults that the rounds bear: a service that is down, one oracle of several. They fail no check, since
    whoever restarts the container for them would stop rounds that go on.
    """

    broken: tuple[str, ...]
    remarks: tuple[str, ...] = ()

    @property
    def well(self) -> bool:
        """Tell whether every link holds."""
        return not self.broken

    @property
    def words(self) -> str:
        """Return one line: the first broken link, and how many more there are."""
        if not self.broken:
            return "every feed is answered"
        more = f" (and {len(self.broken) - 1} more)" if len(self.broken) > 1 else ""
        return self.broken[0] + more


def judge(seen: Observation, limits: Limits, watched_s: float) -> Verdict:
    """Return the verdict; `watched_s` is the time since the judge began."""
    broken = (*_clock(seen), *_oracles(seen, limits), *_sources(seen), *_feeds(seen, limits, watched_s))
    remarks = tuple(f"{service.name} is {service.state}" for service in seen.services or () if not service.well)
    return Verdict(broken, remarks)


def _clock(seen: Observation) -> list[str]:
    if seen.clock is None or not seen.clock.off:
        return []
    way = "ahead" if seen.clock.ahead_ms > 0 else "behind"
    off = f"{abs(seen.clock.ahead_ms) / 1000:.0f} s {way}"
    return [f"our own clock is {off} by {seen.clock.agreeing} of {seen.clock.timed} timed sources: there are no prices"]


def _oracles(seen: Observation, limits: Limits) -> list[str]:
    if seen.services is None:
        return [f"the supervisor gives no answer: {seen.trouble.get('supervisor', 'unknown')}"]
    oracles = [service for service in seen.services if service.name in limits.oracles]
    up = sum(service.state == "healthy" for service in oracles)
    if up >= limits.quorum:
        return []
    down = ", ".join(f"{service.name} {service.state}" for service in oracles if service.state != "healthy")
    return [f"{up} of {len(limits.oracles)} oracles are up, a report needs {limits.quorum}: {down or 'none is known'}"]


def _sources(seen: Observation) -> list[str]:
    if seen.sources is None:
        return [f"the price aggregator gives no answer: {seen.trouble.get('sources', 'unknown')}"]
    if seen.sources and not any(source.available for source in seen.sources):
        return [f"all {len(seen.sources)} price sources are away"]
    return []


def _feeds(seen: Observation, limits: Limits, watched_s: float) -> list[str]:
    if seen.feeds is None:
        return [f"the chain gives no answer: {seen.trouble.get('chain', 'unknown')}"]
    broken = []
    for feed in seen.feeds:
        if feed.age_s is None:
            if watched_s > limits.start_s:
                what = "has had no answer yet" if feed.running else "is not set up"
                broken.append(f"{feed.name} {what}, {watched_s:.0f} s after the start")
        elif feed.age_s > (longest_s := limits.longest_ages_s.get(feed.name, limits.longest_age_s)):
            broken.append(f"{feed.name} has had no answer for {feed.age_s:.0f} s, allowed are {longest_s:.0f} s")
    return broken
