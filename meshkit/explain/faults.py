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
_UNFUNDED = ("cannot pay", "insufficient funds")
_UNREACHED = ("no endpoint", "could not be reached", "unavailable")


class FaultKind(StrEnum):
    """Name what may be wrong with a round."""

    SOURCE_STALE = "source_stale"
    SOURCE_OUTLIER = "source_outlier"
    SOURCE_REFUSED = "source_refused"
    SOURCE_FAILED = "source_failed"
    SOURCES_LOST = "sources_lost"
    OWN_CLOCK_OFF = "own_clock_off"
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
    TRANSMISSION_FAILED = "transmission_failed"
    REVERTED = "reverted"
    TRANSACTION_LOST = "transaction_lost"
    REORGANIZATION = "reorganization"
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
    "silent": FaultKind.SOURCE_FAILED,
}


def faults_of(story: RoundStory) -> list[Fault]:
    """Return what went wrong, in the order of a price's way."""
    of_round = (*_sources(story), *_observing(story), *_reporting(story), *_transmitting(story), *_inclusion(story))
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
        yield Fault(_OF_SOURCE[source.verdict], source.words)
    if len(lost) > 1:
        yield Fault(FaultKind.SOURCES_LOST, f"{len(lost)} of {len(seen)} sources did not count")
    errors = list(dict.fromkeys(quote.error for quote in quotes(story) if quote.error))
    for error in errors:
        kind = FaultKind.OWN_CLOCK_OFF if error.startswith("OWN_CLOCK_OFF") else FaultKind.NO_PRICE
        yield Fault(kind, f"the aggregator gave no price: {error}")


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
    if any(words in text for words in _UNFUNDED):
        return FaultKind.OUT_OF_FUNDS
    if "pinned" in text:
        return FaultKind.ANSWER_OUT_OF_BOUNDS
    return FaultKind.RPC_AWAY if any(words in text for words in _UNREACHED) else FaultKind.TRANSMISSION_FAILED


def _inclusion(story: RoundStory) -> Iterator[Fault]:
    for node in story.nodes:
        for moment in node.transactions:
            seen = moment.transaction
            if moment.stage == pb.ROUND_STAGE_REORGANIZED:
                yield Fault(
                    FaultKind.REORGANIZATION, f"the chain reorganized: the block of {node.name}'s transaction is gone"
                )
            elif moment.stage == pb.ROUND_STAGE_REVERTED:
                yield Fault(
                    FaultKind.REVERTED, f"the contract reverted {node.name}'s transaction in block {seen.block_number}"
                )
            elif moment.stage == pb.ROUND_STAGE_LOST:
                yield Fault(
                    FaultKind.TRANSACTION_LOST, f"{node.name}'s transaction was lost: its nonce went to another"
                )
        late_ms = late_by_ms(node)
        if late_ms is not None:
            yield Fault(
                FaultKind.LATE_INCLUSION, f"{node.name}'s transaction waited {late_ms / 1000:.0f} s for a block"
            )


def late_by_ms(node: NodeView) -> int | None:
    """Return how long a node's transaction waited for its last block, if that was long; None if not."""
    handed = [m.time.ToMilliseconds() for m in node.transactions if m.stage == pb.ROUND_STAGE_HANDED_OVER]
    blocks = [m.time.ToMilliseconds() for m in node.transactions if m.stage == pb.ROUND_STAGE_INCLUDED]
    if not handed or not blocks or blocks[-1] - handed[0] < LATE_MS:
        return None
    return blocks[-1] - handed[0]


def _detail(node: NodeView, stage: "pb.RoundStage.ValueType") -> str:
    return node.moments[stage].detail
