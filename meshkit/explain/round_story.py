"""One round as all nodes kept it, put together: records in, one story out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from feedmesh.oracle.v1 import oracle_service_pb2 as pb
from meshkit.explain.quotes import QuoteSeen, read_quote
from meshkit.ocr.hops import Moment

if TYPE_CHECKING:
    from feedmesh.oracle.v1.oracle_service_pb2 import RoundStage

_TRANSACTION_STAGES: Final = (
    pb.ROUND_STAGE_HANDED_OVER,
    pb.ROUND_STAGE_INCLUDED,
    pb.ROUND_STAGE_REVERTED,
    pb.ROUND_STAGE_LOST,
    pb.ROUND_STAGE_REORGANIZED,
)


@dataclass(frozen=True, slots=True)
class NodeView:
    """Hold what one node kept of a round: the first moment of each stage, and all of its transactions in order."""

    name: str
    index: int
    moments: "Mapping[RoundStage.ValueType, pb.RoundMoment]"
    transactions: Sequence[pb.RoundMoment]
    quote: QuoteSeen | None

    def has(self, *stages: "RoundStage.ValueType") -> bool:
        """Tell whether it reached one of the stages."""
        return any(stage in self.moments for stage in stages)

    def at_ms(self, stage: "RoundStage.ValueType") -> int | None:
        """Return when it reached a stage."""
        moment = self.moments.get(stage)
        return None if moment is None else moment.time.ToMilliseconds()


@dataclass(frozen=True, slots=True)
class NextEpoch:
    """Hold the epoch that followed on a round: its number, when it began, and its leader's name."""

    epoch: int
    began_ms: int
    leader: str


@dataclass(frozen=True, slots=True)
class RoundStory:
    """
    Hold a round.

    Attributes:
        round: The round within the epoch; 0 for an epoch of which no round is kept.
        decimals: Of the feed's answers.
        names: The nodes' names by oracle index, as far as they are known.
        unheard: Why nodes that were asked gave no answer, by name.
        next_epoch: The epoch that began after it, if one did before another round of this epoch.
        idle_ms: For how long nothing had happened after it when it was asked about; None if something had.
        now_ms: When it was asked about; None if that is not known.
    """

    feed: str
    config_digest: str
    epoch: int
    round: int
    n: int
    f: int
    decimals: int
    nodes: Sequence[NodeView]
    names: Mapping[int, str]
    unheard: Mapping[str, str] = field(default_factory=dict)
    next_epoch: NextEpoch | None = None
    idle_ms: int | None = None
    now_ms: int | None = None

    @property
    def quorum(self) -> int:
        """Return how many observations a report needs."""
        return 2 * self.f + 1

    @property
    def began_ms(self) -> int:
        """Return when the first node began it."""
        return min((moment.time.ToMilliseconds() for node in self.nodes for moment in _all(node)), default=0)

    @property
    def leader(self) -> str:
        """Return the name of its leader; empty if nobody told it."""
        indices = [m.leader for node in self.nodes for m in node.moments.values() if m.HasField("leader")]
        return self.name(indices[0]) if indices else ""

    @property
    def report(self) -> pb.RoundMoment | None:
        """Return the first final report that a node has, None if there is none."""
        found = [m for node in self.nodes if (m := node.moments.get(pb.ROUND_STAGE_FINALIZED)) is not None]
        return min(found, key=lambda moment: moment.time.ToNanoseconds(), default=None)

    @property
    def contract_round(self) -> int:
        """Return the contract's own number of the round; 0 if nobody was told it."""
        return max((m.transaction.contract_round for node in self.nodes for m in node.transactions), default=0)

    def name(self, index: int) -> str:
        """Return the name of an oracle."""
        return self.names.get(index, f"oracle-{index}")

    def scaled(self, integer: str) -> str:
        """Return a contract's integer as decimal text."""
        return format(Decimal(integer).scaleb(-self.decimals), "f") if integer else ""

    def at(self, *stages: "RoundStage.ValueType") -> list[NodeView]:
        """Return the nodes that reached one of the stages."""
        return [node for node in self.nodes if node.has(*stages)]


def short(node: str) -> str:
    """Return a node's name without what all have."""
    return node.removeprefix("chainlink-")


def put_together(
    records: Mapping[str, pb.RoundRecord],
    *,
    decimals: int,
    names: Mapping[int, str] | None = None,
    unheard: Mapping[str, str] | None = None,
    later: Iterable[pb.RoundRecord] = (),
    asked_ms: int | None = None,
    now_ms: int | None = None,
) -> RoundStory:
    """
    Return the story of one round.

    Args:
        records: What each node kept of it, by the node's name; at least one.
        decimals: Of the feed's answers.
        names: The nodes' names by oracle index, where more are known than the records tell.
        unheard: Why nodes gave no answer, by name.
        later: Records of one node that began after it.
        asked_ms: Until when the feed was to have another round; None where this very round was asked for.
        now_ms: Until when something may have become of its transactions; None for `asked_ms`.
    """
    heads = [record for record in records.values() if record.n] or list(records.values())
    head = heads[0]
    known = dict(names or {}) | {record.oracle_index: short(name) for name, record in records.items() if record.n}
    nodes = [_view(short(name), record) for name, record in sorted(records.items())]
    story = RoundStory(
        head.name,
        head.config_digest,
        head.epoch,
        head.round,
        head.n,
        head.f,
        decimals,
        nodes,
        known,
        {short(name): why for name, why in (unheard or {}).items()},
    )
    following = list(later)
    told = replace(_with_next(story, following), idle_ms=_idle_ms(story, following, asked_ms))
    return replace(told, now_ms=asked_ms if now_ms is None else now_ms)


def _idle_ms(story: RoundStory, later: Sequence[pb.RoundRecord], asked_ms: int | None) -> int | None:
    if asked_ms is None:
        return None
    if any(record.moments and record.moments[0].time.ToMilliseconds() <= asked_ms for record in later):
        return None
    last_ms = max((moment.time.ToMilliseconds() for node in story.nodes for moment in _all(node)), default=asked_ms)
    return max(0, asked_ms - last_ms)


def moments_ms(story: RoundStory) -> dict[Moment, int]:
    """Return when the price passed each moment of its way, as far as the nodes know; each the first that was."""
    found: dict[Moment, int] = {}
    quotes = [node.quote for node in story.nodes if node.quote is not None and node.quote.price is not None]
    for moment, times in (
        (Moment.EXCHANGE, [quote.exchange_ms for quote in quotes]),
        (Moment.ACCEPTED, [quote.received_ms for quote in quotes]),
        (Moment.SERVED, [quote.served_ms for quote in quotes]),
        (Moment.OBSERVED, [node.at_ms(pb.ROUND_STAGE_OBSERVED) for node in story.nodes]),
        (Moment.SIGNED, [node.at_ms(pb.ROUND_STAGE_FINALIZED) for node in story.nodes]),
        (Moment.TRANSMITTED, [_first_ms(node, pb.ROUND_STAGE_HANDED_OVER) for node in story.nodes]),
        (Moment.INCLUDED, [_first_ms(node, pb.ROUND_STAGE_INCLUDED) for node in story.nodes]),
    ):
        known = [time for time in times if time is not None]
        if known:
            found[moment] = min(known)
    return found


def _first_ms(node: NodeView, stage: "RoundStage.ValueType") -> int | None:
    return next((m.time.ToMilliseconds() for m in node.transactions if m.stage == stage), None)


def _all(node: NodeView) -> list[pb.RoundMoment]:
    return [*node.moments.values(), *node.transactions]


def _view(name: str, record: pb.RoundRecord) -> NodeView:
    moments: dict[RoundStage.ValueType, pb.RoundMoment] = {}
    for moment in record.moments:
        moments.setdefault(moment.stage, moment)
    seen = moments.get(pb.ROUND_STAGE_OBSERVED) or moments.get(pb.ROUND_STAGE_UNOBSERVED)
    quote = None
    if seen is not None:
        bodies = (read_quote(answer.body, seen.time.ToMilliseconds()) for answer in seen.answers)
        quote = next((found for found in bodies if found is not None), None)
    transactions = [moment for moment in record.moments if moment.stage in _TRANSACTION_STAGES]
    return NodeView(name, record.oracle_index, moments, transactions, quote)


def _with_next(story: RoundStory, later: Iterable[pb.RoundRecord]) -> RoundStory:
    following = sorted(
        (record for record in later if record.config_digest == story.config_digest and record.moments),
        key=lambda record: record.moments[0].time.ToNanoseconds(),
    )
    for record in following:
        if record.epoch == story.epoch and record.round > story.round:
            return story
        if record.epoch > story.epoch:
            began = next((m for m in record.moments if m.stage == pb.ROUND_STAGE_EPOCH), None)
            if began is None:
                return story
            return replace(
                story,
                next_epoch=NextEpoch(record.epoch, began.time.ToMilliseconds(), story.name(began.leader)),
            )
    return story
