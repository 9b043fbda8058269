"""
Whether the mesh does what it is for: pure decisions, observations in, one verdict out.

The links are looked at in the order of a price's way, so that the first broken one is the cause of those behind it:

    our own clock ── prices ── oracles (2f+1) ── rounds ── transmitters' money ── RPC ── age on chain

One verdict is for all who ask: `feedmesh doctor` and `status`, the container's health check, the page.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


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
class OracleSeen:
    """Hold an oracle node's job for a feed, and its last failure in words; empty if it has none."""

    node: str
    feed: str
    error: str


@dataclass(frozen=True, slots=True)
class MoneySeen:
    """Hold what a transmitter has, and what a transmission costs at most, both in wei."""

    name: str
    balance_wei: int
    cost_wei: int


@dataclass(frozen=True, slots=True)
class Observation:
    """
    Hold what was seen of the mesh at one moment.

    A part that gave no answer is None, and `trouble` has its words by part: supervisor, sources, chain, money. `jobs`
    are those of the oracles that gave an answer: Chainlink's own nodes give none. `priced` tells whether the aggregator
    was asked for prices and answered, so that a feed without one has none.
    """

    services: Sequence[ServiceSeen] | None
    sources: Sequence[SourceSeen] | None
    feeds: Sequence[FeedSeen] | None
    trouble: dict[str, str]
    clock: ClockSeen | None = None
    jobs: Sequence[OracleSeen] = ()
    money: Sequence[MoneySeen] | None = None
    priced: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """
    Hold what is demanded.

    `oracles`: the names of all oracle nodes. `longest_age_s`: a feed's heartbeat plus a margin; `longest_ages_s`: that
    of feeds which have one of their own. `start_s`: how long a feed may take to its first answer, counted from the
    start of whoever judges. `heartbeats_s` and `deviations_bps` are those of each feed, without a margin.
    """

    oracles: frozenset[str]
    longest_age_s: float
    start_s: float
    longest_ages_s: Mapping[str, float] = field(default_factory=dict)
    heartbeats_s: Mapping[str, float] = field(default_factory=dict)
    deviations_bps: Mapping[str, float] = field(default_factory=dict)

    @property
    def quorum(self) -> int:
        """Return 2f+1 of n oracles, f = ⌊(n-1)/3⌋: with fewer there is no report."""
        return 2 * ((len(self.oracles) - 1) // 3) + 1


class LinkName(StrEnum):
    """Name the links, in the order of a price's way."""

    CLOCK = "clock"
    PRICE = "price"
    ORACLES = "oracles"
    ROUND = "round"
    MONEY = "money"
    RPC = "rpc"
    AGE = "age"


class LinkState(StrEnum):
    """Name how a link is: `unknown` where whoever could tell gives no answer, and that is told by another link."""

    WELL = "well"
    BROKEN = "broken"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Link:
    """Hold a link of a price's way, and in words what was found; of a broken one what is wrong with it, one by one."""

    name: LinkName
    state: LinkState
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    Hold all links in the order of a price's way, and those that are broken in words; none if all is well.

    `remarks` are faults that the rounds bear: a service that is down, one oracle of several. They fail no check, since
    whoever restarts the container for them would stop rounds that go on.
    """

    broken: tuple[str, ...]
    remarks: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()

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
    ages = _ages(seen, limits, watched_s)
    rounds, troubles = _rounds(seen, limits)
    # A round that fails is no fault as long as the answers are young: it may be told as the cause of an old one.
    late = {feed for feed in rounds if any(words.startswith(f"{feed} ") for words in ages.words)}
    links = (
        _clock(seen),
        _prices(seen),
        _oracles(seen, limits),
        _round_link(seen, {feed: words for feed, words in rounds.items() if feed in late}),
        _money(seen),
        _rpc(seen),
        ages,
    )
    broken = tuple(words for link in links if link.state is LinkState.BROKEN for words in link.words)
    remarks = [f"{service.name} is {service.state}" for service in seen.services or () if not service.well]
    remarks += [words for feed, words in rounds.items() if feed not in late]
    remarks += [*troubles, *_short_of_money(seen)]
    return Verdict(broken, tuple(remarks), links)


def _clock(seen: Observation) -> Link:
    if seen.clock is None:
        return Link(LinkName.CLOCK, LinkState.UNKNOWN, ("nobody tells how our own clock stands",))
    if not seen.clock.off:
        by = f" by {seen.clock.agreeing} of {seen.clock.timed} timed sources" if seen.clock.agreeing else ""
        return Link(LinkName.CLOCK, LinkState.WELL, (f"our own clock is right{by}",))
    way = "ahead" if seen.clock.ahead_ms > 0 else "behind"
    off = f"{abs(seen.clock.ahead_ms) / 1000:.0f} s {way}"
    words = f"our own clock is {off} by {seen.clock.agreeing} of {seen.clock.timed} timed sources: there are no prices"
    return Link(LinkName.CLOCK, LinkState.BROKEN, (words,))


def _prices(seen: Observation) -> Link:
    if seen.sources is None:
        words = f"the price aggregator gives no answer: {seen.trouble.get('sources', 'unknown')}"
        return Link(LinkName.PRICE, LinkState.BROKEN, (words,))
    available = sum(source.available for source in seen.sources)
    if seen.sources and not available and (seen.clock is None or not seen.clock.off):
        return Link(LinkName.PRICE, LinkState.BROKEN, (f"all {len(seen.sources)} price sources are away",))
    return Link(LinkName.PRICE, LinkState.WELL, (f"{available} of {len(seen.sources)} price sources answer",))


def _oracles(seen: Observation, limits: Limits) -> Link:
    if seen.services is None:
        words = f"the supervisor gives no answer: {seen.trouble.get('supervisor', 'unknown')}"
        return Link(LinkName.ORACLES, LinkState.BROKEN, (words,))
    oracles = [service for service in seen.services if service.name in limits.oracles]
    up = sum(service.state == "healthy" for service in oracles)
    needed = f"{up} of {len(limits.oracles)} oracles are up, a report needs {limits.quorum}"
    if up >= limits.quorum:
        return Link(LinkName.ORACLES, LinkState.WELL, (needed,))
    down = ", ".join(f"{service.name} {service.state}" for service in oracles if service.state != "healthy")
    return Link(LinkName.ORACLES, LinkState.BROKEN, (f"{needed}: {down or 'none is known'}",))


def _rounds(seen: Observation, limits: Limits) -> tuple[dict[str, str], list[str]]:
    """Return by feed why its rounds have no quorum of observations, and the failures that rounds bear."""
    failing: dict[str, list[OracleSeen]] = {}
    for job in seen.jobs:
        if job.error:
            failing.setdefault(job.feed, []).append(job)
    lost, borne = {}, []
    for feed, jobs in failing.items():
        heard = sum(job.feed == feed for job in seen.jobs)
        more = f" (and {len(jobs) - 1} more)" if len(jobs) > 1 else ""
        reasons = f"{jobs[0].node}: {jobs[0].error}{more}"
        if len(limits.oracles) - len(jobs) < limits.quorum:
            lost[feed] = (
                f"{feed} has {heard - len(jobs)} oracles that observe, a report needs {limits.quorum}: {reasons}"
            )
        else:
            borne += [f"{feed} at {job.node}: {job.error}" for job in jobs]
    return lost, borne


def _round_link(seen: Observation, late: dict[str, str]) -> Link:
    if late:
        return Link(LinkName.ROUND, LinkState.BROKEN, tuple(late.values()))
    if not seen.jobs:
        return Link(LinkName.ROUND, LinkState.UNKNOWN, ("no oracle tells of its rounds",))
    feeds = len({job.feed for job in seen.jobs})
    return Link(LinkName.ROUND, LinkState.WELL, (f"the oracles observe {feeds} feeds",))


def _money(seen: Observation) -> Link:
    if seen.money is None:
        words = f"nobody tells what the transmitters have: {seen.trouble.get('money', 'unknown')}"
        return Link(LinkName.MONEY, LinkState.UNKNOWN, (words,))
    poor = [each for each in seen.money if each.balance_wei < each.cost_wei]
    if seen.money and len(poor) == len(seen.money):
        words = f"none of the {len(seen.money)} transmitters can pay a transmission, which costs {poor[0].cost_wei} wei"
        return Link(LinkName.MONEY, LinkState.BROKEN, (words,))
    words = f"{len(seen.money) - len(poor)} of {len(seen.money)} transmitters can pay a transmission"
    return Link(LinkName.MONEY, LinkState.WELL, (words,))


def _short_of_money(seen: Observation) -> list[str]:
    money = seen.money or ()
    poor = [each for each in money if each.balance_wei < each.cost_wei]
    if len(poor) == len(money):
        return []
    return [f"{each.name} has {each.balance_wei} wei, a transmission costs {each.cost_wei}" for each in poor]


def _rpc(seen: Observation) -> Link:
    if seen.feeds is None:
        operator = next((each for each in seen.services or () if each.name == "operator"), None)
        words = f"the chain gives no answer: {seen.trouble.get('chain', 'unknown')}"
        if operator is not None and not operator.well:
            words = f"the operator is {operator.state}: nobody tells how the chain is"
        return Link(LinkName.RPC, LinkState.BROKEN, (words,))
    return Link(LinkName.RPC, LinkState.WELL, ("the chain answers",))


def _ages(seen: Observation, limits: Limits, watched_s: float) -> Link:
    if seen.feeds is None:
        return Link(LinkName.AGE, LinkState.UNKNOWN, ("nobody tells how old the answers are",))
    broken = []
    for feed in seen.feeds:
        if feed.age_s is None:
            if watched_s > limits.start_s:
                what = "has had no answer yet" if feed.running else "is not set up"
                broken.append(f"{feed.name} {what}, {watched_s:.0f} s after the start")
        elif feed.age_s > (longest_s := limits.longest_ages_s.get(feed.name, limits.longest_age_s)):
            broken.append(f"{feed.name} has had no answer for {feed.age_s:.0f} s, allowed are {longest_s:.0f} s")
    if broken:
        return Link(LinkName.AGE, LinkState.BROKEN, tuple(broken))
    ages = [feed.age_s for feed in seen.feeds if feed.age_s is not None]
    oldest = f", the oldest is {max(ages):.0f} s old" if ages else ""
    return Link(LinkName.AGE, LinkState.WELL, (f"{len(ages)} of {len(seen.feeds)} feeds have an answer{oldest}",))
