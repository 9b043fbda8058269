"""What the page knows of the mesh, taken in from those who look, in versions: so viewers wait for the next one."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from feedmesh.aggregator.v1 import quote_service_pb2 as quotes
from feedmesh.operator.v1 import operator_service_pb2 as operator
from feedmesh.supervisor.v1 import supervisor_service_pb2 as supervisor
from meshkit.ocr.hops import Moment
from services.metrics.page.content.history import FeedHistory
from services.metrics.verdict.feed_metrics import state_of
from services.metrics.verdict.observer import Heard
from services.metrics.verdict.verdict import FeedSeen, Limits, Observation, Verdict

# A feed that is gone from the configuration is forgotten with the next answer; this bounds a defect of ours.
_MOST_FEEDS: Final = 2000


@dataclass(frozen=True, slots=True)
class Way:
    """Hold when the price of a feed's last round passed the moments of its way, in Unix milliseconds."""

    round_id: int
    moments_ms: Mapping[Moment, int]


@dataclass(slots=True)
class MeshSeen:
    """
    Hold what was last said of each part; `trouble` has by part the words of one that gives no answer now.

    `live_services` says that the supervisor tells each change by itself, so that what it was asked for is older; only
    which services there are is taken from that.
    """

    limits: Limits
    services: dict[str, supervisor.Service] = field(default_factory=dict)
    live_services: bool = False
    feeds: dict[str, operator.Feed] = field(default_factory=dict)
    observed: dict[str, FeedSeen] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    sources: quotes.ListSourcesResponse | None = None
    money: operator.ListBalancesResponse | None = None
    verdict: Verdict | None = None
    trouble: dict[str, str] = field(default_factory=dict)
    histories: dict[str, FeedHistory] = field(default_factory=dict)
    ways: dict[str, Way] = field(default_factory=dict)
    version: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def touch(self) -> None:
        """Count a change, and wake those who wait for one."""
        self.version += 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def changed_since(self, version: int) -> None:
        """Return once something has changed since that version."""
        while self.version == version:
            await self._changed.wait()

    def note(self, heard: Heard, seen: Observation, watched_s: float, now_s: float) -> None:
        """Take in what was asked for: the answers as they came, and what the judge makes of them."""
        self.trouble = {}
        if isinstance(heard.services, str):
            self.trouble["services"] = heard.services
        else:
            told = self.services if self.live_services else {}
            self.services = {each.name: told.get(each.name, each) for each in heard.services.services}
        if isinstance(heard.feeds, str):
            self.trouble["feeds"] = heard.feeds
        else:
            self.feeds = {each.name: self._newer(each) for each in heard.feeds.feeds[:_MOST_FEEDS]}
        if isinstance(heard.sources, str):
            self.trouble["sources"] = heard.sources
        else:
            self.sources = heard.sources
        if isinstance(heard.money, str):
            self.trouble["money"] = heard.money
        else:
            self.money = heard.money
        if seen.feeds is not None:
            self.observed = {feed.name: feed for feed in seen.feeds}
        self.states = {name: state_of(feed, seen, self.limits, watched_s) for name, feed in self.observed.items()}
        for name in (self.histories.keys() | self.ways.keys()) - self.feeds.keys():
            self.histories.pop(name, None)
            self.ways.pop(name, None)
        for name, feed in self.observed.items():
            if name in self.feeds:
                self.histories.setdefault(name, FeedHistory()).add(now_s, feed.answer, feed.market)
        self.touch()

    def judged(self, verdict: Verdict) -> None:
        """Take in the verdict."""
        if verdict != self.verdict:
            self.verdict = verdict
            self.touch()

    def service_changed(self, change: supervisor.WatchServicesResponse) -> None:
        """Take in a change that the supervisor told by itself."""
        if change.removed:
            self.services.pop(change.service.name, None)
        else:
            self.services[change.service.name] = change.service
        self.touch()

    def round_accepted(self, accepted: operator.Round) -> None:
        """Take in a round that a feed's contract accepted, unless a newer one of the same contract is known."""
        feed = self.feeds.get(accepted.feed)
        if feed is None or feed.round_id >= accepted.round_id:
            return
        newer = operator.Feed()
        newer.CopyFrom(feed)
        newer.round_id, newer.answer = accepted.round_id, accepted.answer
        newer.update_time.CopyFrom(accepted.block_time)
        self.feeds[accepted.feed] = newer
        self.touch()

    def way_found(self, feed: str, way: Way) -> None:
        """Take in the way of a feed's last round."""
        if feed in self.feeds and self.ways.get(feed) != way:
            self.ways[feed] = way
            self.touch()

    def _newer(self, asked: operator.Feed) -> operator.Feed:
        """Return what is newer: what was asked for, or the round that the operator told by itself meanwhile."""
        known = self.feeds.get(asked.name)
        if known is None or known.address != asked.address or known.round_id <= asked.round_id:
            return asked
        # A contract that was set up anew counts from the beginning; then what was told is not a moment old.
        told_later = known.update_time.ToMilliseconds() >= asked.update_time.ToMilliseconds()
        return known if told_later else asked
