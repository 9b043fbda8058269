"""What the oracles say of their rounds, put together: pure bookkeeping, moments in, rounds out."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from feedmesh.oracle.v1 import oracle_service_pb2 as pb

if TYPE_CHECKING:
    from feedmesh.oracle.v1.oracle_service_pb2 import RoundStage

STARTED: Final = pb.ROUND_STAGE_STARTED
OBSERVED: Final = pb.ROUND_STAGE_OBSERVED
REPORTED: Final = pb.ROUND_STAGE_REPORTED
FINALIZED: Final = pb.ROUND_STAGE_FINALIZED
TRANSMITTED: Final = pb.ROUND_STAGE_TRANSMITTED
COMPLETED: Final = pb.ROUND_STAGE_COMPLETED
FAILED: Final = pb.ROUND_STAGE_FAILED
# Of each feed.
_KEPT: Final = 20


def stage_name(stage: "RoundStage.ValueType") -> str:
    """Return a stage as people read it, for example `finalized`."""
    return pb.RoundStage.Name(stage).removeprefix("ROUND_STAGE_").lower()


@dataclass(slots=True)
class RoundView:
    """
    One round of one feed, as all nodes that were asked saw it.

    Attributes:
        times_ms: Unix milliseconds by node, by stage.
        answer: The median as the contract's integer; empty before there is a report.
        detail: Why there was no report, or no transmission, in the words of the last node that said so.
    """

    feed: str
    epoch: int
    round: int
    leader: int | None = None
    times_ms: "dict[RoundStage.ValueType, dict[str, int]]" = field(default_factory=dict)
    observers: tuple[int, ...] = ()
    answer: str = ""
    detail: str = ""

    @property
    def started_ms(self) -> int:
        """Return when the first node began the round, or the first thing that is known of it."""
        known = self.times_ms.get(STARTED) or {
            node: at for times in self.times_ms.values() for node, at in times.items()
        }
        return min(known.values())

    @property
    def is_done(self) -> bool:
        """Tell whether some node has the final report, or none was needed."""
        return FINALIZED in self.times_ms or COMPLETED in self.times_ms

    @property
    def outcome(self) -> str:
        """Return what became of the round so far."""
        for stage in (TRANSMITTED, FAILED, FINALIZED, REPORTED, COMPLETED, OBSERVED):
            if stage in self.times_ms:
                return stage_name(stage)
        return stage_name(STARTED)

    def after_ms(self, stage: "RoundStage.ValueType") -> tuple[int, int] | None:
        """Return the milliseconds from the start until the last node reached a stage, and how many nodes did."""
        times = self.times_ms.get(stage)
        return (max(times.values()) - self.started_ms, len(times)) if times else None

    def add(self, node: str, moment: pb.WatchRoundsResponse) -> None:
        """Take in a moment that a node told."""
        self.times_ms.setdefault(moment.stage, {}).setdefault(node, moment.time.ToMilliseconds())
        if moment.HasField("leader"):
            self.leader = moment.leader
        if moment.observers:
            self.observers = tuple(moment.observers)
        if moment.value and moment.stage in (REPORTED, FINALIZED):
            self.answer = moment.value
        if moment.detail and moment.stage in (COMPLETED, FAILED):
            self.detail = moment.detail


class RoundBook:
    """The latest rounds of every feed."""

    def __init__(self) -> None:
        self._feeds: dict[str, OrderedDict[tuple[int, int], RoundView]] = {}
        self.done = 0

    def add(self, node: str, moment: pb.WatchRoundsResponse) -> RoundView:
        """Take in a moment that a node told, and return its round."""
        rounds = self._feeds.setdefault(moment.name, OrderedDict())
        key = (moment.epoch, moment.round)
        if key not in rounds:
            rounds[key] = RoundView(moment.name, *key)
            if len(rounds) > _KEPT:
                rounds.popitem(last=False)
        view = rounds[key]
        was_done = view.is_done
        view.add(node, moment)
        self.done += view.is_done and not was_done
        return view

    def latest(self) -> Iterator[RoundView]:
        """Give the newest round of each feed, by the feeds' names."""
        for name in sorted(self._feeds):
            yield next(reversed(self._feeds[name].values()))

    def all(self) -> list[RoundView]:
        """Return all rounds that are kept, the newest first."""
        kept = [view for rounds in self._feeds.values() for view in rounds.values()]
        return sorted(kept, key=lambda view: (view.started_ms, view.feed), reverse=True)
