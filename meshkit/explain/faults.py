"""
What went wrong in a round, found in its story: values in, values out.

The faults come in the order of a price's way, so that the first one is the cause of those behind it. A round may have
an answer on chain in spite of several: the network bears what it was made to bear.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from feedmesh.oracle.v1 import oracle_service_pb2 as pb
from meshkit.explain.quotes import FAILED, OUTLIER, REFUSED, STALE, QuoteSeen, SourceSeen
from meshkit.explain.round_story import NodeView, RoundStory

# A transaction that takes longer than this into a block is late, on any chain that feeds are for.
LATE_MS = 30_000
# Between two rounds of a feed nothing happens for as long as a round of its configuration may take.
IDLE_MS, _IDLE_WITHOUT_QUORUM_MS = 60_000, 5_000
_UNREAD = ("the contract could not be read", "the contract cannot be read")
# What nodes and chains say of a transaction that could not be sent; the first that fits tells the fault.
_FAILURES = (
    ("out_of_funds", ("cannot pay", "insufficient funds", "exceeds balance", "balance too low")),
    ("answer_out_of_bounds", ("pinned",)),
    ("unauthorized", ("unauthorized", "not authorized")),
    (
        "gas_too_low",
        (
            "underpriced",
            "gas price too low",
            "gasprice too low",
            "less than block base fee",
            "less than the block base fee",
            "fee cap",
            "gas too low",
            "out of gas",
            "gas required exceeds",
            "highest gas price",
        ),
    ),
    ("rpc_away", ("no endpoint", "could not be reached", "unavailable", "connection refused", "timed out", "timeout")),
)


class FaultKind(StrEnum):
    """Name what may be wrong with a round."""

    SOURCE_STALE = "source_stale"
    SOURCE_OUTLIER = "source_outlier"
    SOURCE_REFUSED = "source_refused"
    SOURCE_FAILED = "source_failed"
    SOURCE_SILENT = "source_silent"
    SOURCE_RATE_LIMITED = "source_rate_limited"
    SOURCE_CUT_OFF = "source_cut_off"
    SOURCES_LOST = "sources_lost"
    OWN_CLOCK_OFF = "own_clock_off"
    SOURCES_DISAGREE = "sources_disagree"
    PRICE_UNCONFIRMED = "price_unconfirmed"
    NO_PRICE = "no_price"
    NO_OBSERVATION = "no_observation"
    ORACLE_DOWN = "oracle_down"
    QUORUM_LOST = "quorum_lost"
    LEADER_FAULT = "leader_fault"
    TOO_FEW_SIGNATURES = "too_few_signatures"
    DATABASE_AWAY = "database_away"
    RPC_AWAY = "rpc_away"
    ANSWER_OUT_OF_BOUNDS = "answer_out_of_bounds"
    OUT_OF_FUNDS = "out_of_funds"
    GAS_TOO_LOW = "gas_too_low"
    UNAUTHORIZED = "unauthorized"
    TRANSMISSION_FAILED = "transmission_failed"
    LATE_TRANSMISSION = "late_transmission"
    REVERTED = "reverted"
    TRANSACTION_LOST = "transaction_lost"
    REORGANIZATION = "reorganization"
    NOT_INCLUDED = "not_included"
    LATE_INCLUSION = "late_inclusion"
    STANDS_STILL = "stands_still"


@dataclass(frozen=True, slots=True)
class Fault:
    """Hold a fault and a clause about it, for a sentence."""

    kind: FaultKind
    words: str


_OF_SOURCE = {
    STALE: FaultKind.SOURCE_STALE,
    OUTLIER: FaultKind.SOURCE_OUTLIER,
    "apart": FaultKind.SOURCE_OUTLIER,
    REFUSED: FaultKind.SOURCE_REFUSED,
    "older": FaultKind.SOURCE_STALE,
    "unit": FaultKind.SOURCE_REFUSED,
    FAILED: FaultKind.SOURCE_FAILED,
    "silent": FaultKind.SOURCE_SILENT,
}
OF_SOURCES = frozenset({*_OF_SOURCE.values(), FaultKind.SOURCE_RATE_LIMITED, FaultKind.SOURCE_CUT_OFF})
# By the names of the aggregator's errors.
_OF_PRICE = {
    "OWN_CLOCK_OFF": FaultKind.OWN_CLOCK_OFF,
    "SOURCES_DISAGREE": FaultKind.SOURCES_DISAGREE,
    "PRICE_UNCONFIRMED": FaultKind.PRICE_UNCONFIRMED,
}


def faults_of(story: RoundStory) -> list[Fault]:
    """Return what went wrong, in the order of a price's way."""
    of_round = (
        *_sources(story),
        *_observing(story),
        *_reporting(story),
        *_transmitting(story),
        *_lateness(story),
        *_inclusion(story),
    )
    return [*of_round, *_since(story)]


def _since(story: RoundStory) -> Iterator[Fault]:
    """Yield why nothing followed on the last round."""
    if story.idle_ms is None:
        return
    away = [name for name in story.names.values() if name in story.unheard]
    since = f"since then, {story.idle_ms / 1000:.0f} s, no round has begun"
    if story.n - len(away) < story.quorum and story.idle_ms >= _IDLE_WITHOUT_QUORUM_MS:
        silent = ", ".join(f"{name} ({story.unheard[name]})" for name in sorted(away))
        needed = f"{story.n - len(away)} of {story.n} oracles are there, a report needs {story.quorum}"
        yield Fault(FaultKind.QUORUM_LOST, f"{since}: quorum lost: {needed}: {silent}")
    elif story.idle_ms >= IDLE_MS:
        yield Fault(FaultKind.STANDS_STILL, since)


def quotes(story: RoundStory) -> list[QuoteSeen]:
    """Return the quotes that nodes were given."""
    return [node.quote for node in story.nodes if node.quote is not None]


def sources(story: RoundStory) -> dict[str, SourceSeen]:
    """Return by name what became of each source; where nodes differ, as they were asked at other moments, the worst."""
    found: dict[str, SourceSeen] = {}
    for quote in quotes(story):
        for source in quote.sources:
            if source.name not in found or found[source.name].verdict in ("used", ""):
                found[source.name] = source
    return dict(sorted(found.items()))


def _sources(story: RoundStory) -> Iterator[Fault]:
    seen = sources(story)
    lost = [source for source in seen.values() if source.verdict in _OF_SOURCE]
    for source in lost:
        yield Fault(_kind_of_source(source), source.words)
    if len(lost) > 1:
        yield Fault(FaultKind.SOURCES_LOST, f"{len(lost)} of {len(seen)} sources did not count")
    errors = list(dict.fromkeys(quote.error for quote in quotes(story) if quote.error))
    for error in errors:
        kind = _OF_PRICE.get(error.partition(":")[0], FaultKind.NO_PRICE)
        yield Fault(kind, f"the aggregator gave no price: {error}")


def _kind_of_source(source: SourceSeen) -> FaultKind:
    if source.verdict == FAILED and source.is_cut_off:
        return FaultKind.SOURCE_CUT_OFF
    return FaultKind.SOURCE_RATE_LIMITED if source.is_limited else _OF_SOURCE[source.verdict]


def _observing(story: RoundStory) -> Iterator[Fault]:
    if not story.round:
        return
    for node in story.at(pb.ROUND_STAGE_UNOBSERVED):
        if node.quote is None or not node.quote.error:
            why = node.moments[pb.ROUND_STAGE_UNOBSERVED].detail or "no reason given"
            yield Fault(FaultKind.NO_OBSERVATION, f"{node.name} had no observation: {why}")
    observers = _observers(story)
    for index in range(story.n):
        name = story.name(index)
        if index in observers or any(node.index == index for node in story.nodes):
            continue
        why = f" ({story.unheard[name]})" if name in story.unheard else ""
        yield Fault(FaultKind.ORACLE_DOWN, f"{name} took no part{why}")
    if story.report is None and len(observers) < story.quorum:
        needed = f"{len(observers)} of {story.n} oracles observed, a report needs {story.quorum}"
        yield Fault(FaultKind.QUORUM_LOST, f"quorum lost: {needed}")


def _observers(story: RoundStory) -> set[int]:
    """Return who observed: those that say so themselves, and those in a report that anybody has."""
    found = {node.index for node in story.at(pb.ROUND_STAGE_OBSERVED)}
    for node in story.nodes:
        for stage in (pb.ROUND_STAGE_FINALIZED, pb.ROUND_STAGE_REPORTED, pb.ROUND_STAGE_COMPLETED):
            if stage in node.moments:
                found |= set(node.moments[stage].observers)
    return found


def _reporting(story: RoundStory) -> Iterator[Fault]:
    if story.report is not None:
        return
    signed, declined = story.at(pb.ROUND_STAGE_REPORTED), story.at(pb.ROUND_STAGE_COMPLETED)
    for words in dict.fromkeys(node.moments[pb.ROUND_STAGE_COMPLETED].detail for node in declined):
        if words.startswith("the leader's request has"):
            yield Fault(FaultKind.LEADER_FAULT, f"{words.replace('the leader', f'the leader {story.leader}', 1)}")
        elif any(unread in words for unread in _UNREAD):
            yield Fault(FaultKind.RPC_AWAY, "the contract could not be read: the RPC gives no answer")
        elif "could not be saved" in words:
            names = ", ".join(n.name for n in declined if n.moments[pb.ROUND_STAGE_COMPLETED].detail == words)
            yield Fault(FaultKind.DATABASE_AWAY, f"{names} did not sign: {words}")
    # What a leader asks of itself reaches it always.
    asked = [node for node in (*signed, *declined) if node.name != story.leader]
    if story.round and not asked and len(_observers(story)) >= story.quorum:
        yield Fault(FaultKind.LEADER_FAULT, _silent_leader(story, "asked for no report"))
    elif not story.round:
        yield Fault(FaultKind.LEADER_FAULT, _silent_leader(story, "began no round"))
    elif signed and len(signed) <= story.f:
        yield Fault(FaultKind.TOO_FEW_SIGNATURES, f"{len(signed)} signed, a report needs {story.f + 1}")
    elif signed:
        yield Fault(FaultKind.LEADER_FAULT, _silent_leader(story, f"showed no report, though {len(signed)} signed"))


def _silent_leader(story: RoundStory, what: str) -> str:
    following = ""
    if story.next_epoch is not None:
        after_s = (story.next_epoch.began_ms - story.began_ms) / 1000
        following = (
            f"; epoch {story.next_epoch.epoch} began {after_s:.1f} s later with leader {story.next_epoch.leader}"
        )
    leader = story.leader or "of the epoch"
    away = f" ({story.unheard[leader]})" if leader in story.unheard else ""
    return f"the leader {leader}{away} {what}{following}"


def _transmitting(story: RoundStory) -> Iterator[Fault]:
    unread = [n.name for n in story.at(pb.ROUND_STAGE_SKIPPED) if _detail(n, pb.ROUND_STAGE_SKIPPED) in _UNREAD]
    if unread:
        yield Fault(FaultKind.RPC_AWAY, f"{', '.join(unread)} could not read the contract: the RPC gives no answer")
    for node in story.at(pb.ROUND_STAGE_FAILED):
        why = _detail(node, pb.ROUND_STAGE_FAILED) or "no reason given"
        yield Fault(_kind_of_failure(why), f"{node.name} could not transmit: {why}")


def _kind_of_failure(why: str) -> FaultKind:
    text = why.lower()
    return next(
        (FaultKind(kind) for kind, said in _FAILURES if any(words in text for words in said)),
        FaultKind.TRANSMISSION_FAILED,
    )


def _lateness(story: RoundStory) -> Iterator[Fault]:
    """Yield that nobody transmitted at the first stage, with who was to, as far as the nodes tell."""
    stages = [stage_of(node) for node in story.at(pb.ROUND_STAGE_TRANSMITTED)]
    if not stages or min(stages) == 0:
        return
    before = idle_before(story, min(stages))
    said = ", ".join(f"{node.name} at stage {stage_of(node)}" for node in before)
    yield Fault(
        FaultKind.LATE_TRANSMISSION, f"nobody transmitted before stage {min(stages)}" + f" ({said})" * bool(said)
    )


def stage_of(node: NodeView) -> int:
    """Return the stage of the transmission schedule at which it was a node's turn; 0 if nobody told it."""
    scheduled = node.moments.get(pb.ROUND_STAGE_SCHEDULED)
    return 0 if scheduled is None else scheduled.transmission_stage


def idle_before(story: RoundStory, stage: int) -> list[NodeView]:
    """Return the nodes whose turn was before a stage, and that are not known to have transmitted."""
    waiting = [node for node in story.at(pb.ROUND_STAGE_SCHEDULED) if not node.has(pb.ROUND_STAGE_TRANSMITTED)]
    return sorted((node for node in waiting if stage_of(node) < stage), key=stage_of)


def _inclusion(story: RoundStory) -> Iterator[Fault]:
    for node in story.nodes:
        for moment in node.transactions:
            seen = moment.transaction
            if moment.stage == pb.ROUND_STAGE_REORGANIZED:
                yield Fault(
                    FaultKind.REORGANIZATION, f"the chain reorganized: the block of {node.name}'s transaction is gone"
                )
            elif moment.stage == pb.ROUND_STAGE_REVERTED:
                why = f": {moment.detail}" if moment.detail else ""
                words = f"the contract reverted {node.name}'s transaction in block {seen.block_number}{why}"
                unauthorized = _kind_of_failure(moment.detail) is FaultKind.UNAUTHORIZED
                yield Fault(FaultKind.UNAUTHORIZED if unauthorized else FaultKind.REVERTED, words)
            elif moment.stage == pb.ROUND_STAGE_LOST:
                yield Fault(
                    FaultKind.TRANSACTION_LOST, f"{node.name}'s transaction was lost: its nonce went to another"
                )
        if (waits_ms := _waits_ms(story, node)) is not None:
            yield Fault(
                FaultKind.NOT_INCLUDED,
                f"{node.name}'s transaction has waited {waits_ms / 1000:.0f} s for a block: the chain stands still, or "
                "its gas price is too low",
            )
        late_ms = late_by_ms(node)
        if late_ms is not None:
            yield Fault(
                FaultKind.LATE_INCLUSION, f"{node.name}'s transaction waited {late_ms / 1000:.0f} s for a block"
            )


def _waits_ms(story: RoundStory, node: NodeView) -> int | None:
    """Return for how long a node's transaction waits, if that is long and no block has another's; None if not."""
    if story.now_ms is None or not node.transactions:
        return None
    if any(m.stage == pb.ROUND_STAGE_INCLUDED for each in story.nodes for m in each.transactions):
        return None
    last = node.transactions[-1]
    if last.stage not in (pb.ROUND_STAGE_HANDED_OVER, pb.ROUND_STAGE_REORGANIZED):
        return None
    waits_ms = story.now_ms - last.time.ToMilliseconds()
    return waits_ms if waits_ms >= LATE_MS else None


def late_by_ms(node: NodeView) -> int | None:
    """Return how long a node's transaction waited for its last block, if that was long; None if not."""
    handed = [m.time.ToMilliseconds() for m in node.transactions if m.stage == pb.ROUND_STAGE_HANDED_OVER]
    blocks = [m.time.ToMilliseconds() for m in node.transactions if m.stage == pb.ROUND_STAGE_INCLUDED]
    if not handed or not blocks or blocks[-1] - handed[0] < LATE_MS:
        return None
    return blocks[-1] - handed[0]


def _detail(node: NodeView, stage: "pb.RoundStage.ValueType") -> str:
    return node.moments[stage].detail
