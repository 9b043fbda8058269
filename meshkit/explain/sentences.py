"""A round's story in words: one line a hop, and one sentence that says why the answer is what it is, or is not."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from feedmesh.oracle.v1 import oracle_service_pb2 as pb
from meshkit.explain.faults import OF_SOURCES, Fault, FaultKind, faults_of, idle_before, quotes, sources, stage_of
from meshkit.explain.quotes import USED
from meshkit.explain.round_story import NodeView, RoundStory

_REASONS = {
    "initial_round": "the contract had none of this configuration",
    "deviation": "it deviates enough from the answer on chain",
    "heartbeat": "the answer on chain was too old",
    "requested": "somebody asked for a round",
}
_NO_REPORT = "nothing to report"
_SINCE = "since then"


@dataclass(frozen=True, slots=True)
class Hop:
    """Hold one line: the hop's name, when it ended (Unix milliseconds, None if it did not), and what happened."""

    name: str
    at_ms: int | None
    words: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Hold what is told of a round; `words` is one sentence, `answer` empty where the contract got none."""

    title: str
    answer: str
    words: str
    hops: Sequence[Hop]
    faults: Sequence[Fault]


def explain(story: RoundStory) -> Explanation:
    """Return the story in words."""
    faults = faults_of(story)
    included = _included(story)
    answer = story.scaled(story.report.value) if story.report is not None and included is not None else ""
    number = f", round {story.contract_round} of the contract" if story.contract_round else ""
    title = f"{story.feed} {story.epoch}/{story.round}{number}, {time_text(story.began_ms)}"
    hops = [_sources(story), _served(story), _observed(story), _signed(story), _transmitted(story), _in_block(story)]
    return Explanation(title, answer, _sentence(story, faults), hops, faults)


def time_text(at_ms: int) -> str:
    """Return Unix milliseconds as a time in UTC with milliseconds."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(sep=" ", timespec="milliseconds").replace("+00:00", "Z")


def _sentence(story: RoundStory, faults: Sequence[Fault]) -> str:
    clauses = [*_source_clauses(story, faults)]
    behind = [fault for fault in faults if fault.words.startswith(_SINCE)]
    # Who transmitted late is told where it is told who did.
    beside = OF_SOURCES | {FaultKind.SOURCES_LOST, FaultKind.LATE_TRANSMISSION}
    clauses += [fault.words for fault in faults if fault.kind not in beside and fault not in behind]
    report = story.report
    if report is not None:
        clauses.append(f"quorum {len(report.observers)} of {story.n} observed")
    elif (declined := _declined(story)) is not None:
        clauses.append(declined)
    clauses += [*_way_to_the_block(story), *(fault.words for fault in behind)]
    return "; ".join(clauses) or "nothing is kept of this round but that it began"


def _source_clauses(story: RoundStory, faults: Sequence[Fault]) -> Iterator[str]:
    seen = sources(story)
    lost = [fault for fault in faults if fault.kind in OF_SOURCES]
    if lost:
        yield f"{len(lost)} of {len(seen)} sources refused: {', '.join(fault.words for fault in lost)}"
    elif seen:
        yield f"all {len(seen)} sources used" if len(seen) > 1 else "its only source used"


def _declined(story: RoundStory) -> str | None:
    for node in story.at(pb.ROUND_STAGE_COMPLETED):
        if node.moments[pb.ROUND_STAGE_COMPLETED].detail.startswith(_NO_REPORT):
            return "no report was needed: the answer on chain is near enough and new enough"
    return None


def _way_to_the_block(story: RoundStory) -> Iterator[str]:
    report = story.report
    if report is None:
        return
    for node in story.at(pb.ROUND_STAGE_TRANSMITTED):
        yield f"{node.name} transmitted{_stage(node)}{_instead_of(story, node)}"
    included = _included(story)
    if included is not None:
        after_s = (included.time.ToMilliseconds() - report.time.ToMilliseconds()) / 1000
        yield f"included in block {included.transaction.block_number}, {after_s:.1f} s after the report"
    elif story.at(pb.ROUND_STAGE_TRANSMITTED):
        yield "no block is known to have it"
    elif outdone := _outdone(story):
        yield outdone
    elif not story.at(pb.ROUND_STAGE_FAILED):
        yield f"nobody is known to have transmitted{_silence(story)}"


def _outdone(story: RoundStory) -> str:
    details = [_skipped(node) for node in story.at(pb.ROUND_STAGE_SKIPPED)]
    if "the contract is as new" in details:
        return f"the contract has it or a newer one; who transmitted is not kept{_silence(story)}"
    return next((f"not transmitted: {detail}" for detail in details), "")


def _silence(story: RoundStory) -> str:
    return f" ({', '.join(sorted(story.unheard))} gave no answer)" if story.unheard else ""


def _included(story: RoundStory) -> pb.RoundMoment | None:
    """Return the last moment at which a block had the transaction, None if none has or its block is gone."""
    last = [node.transactions[-1] for node in story.nodes if node.transactions]
    held = [moment for moment in last if moment.stage == pb.ROUND_STAGE_INCLUDED]
    return min(held, key=lambda moment: moment.time.ToNanoseconds(), default=None)


def _stage(node: NodeView) -> str:
    stage = stage_of(node)
    return f" after stage {stage}" if stage else ""


def _instead_of(story: RoundStory, node: NodeView) -> str:
    """Return who was to transmit before, and did not, where nobody did."""
    first = min(map(stage_of, story.at(pb.ROUND_STAGE_TRANSMITTED)))
    missed = idle_before(story, stage_of(node)) if first else []
    return f" in the place of {', '.join(each.name for each in missed)}" if missed else ""


def _sources(story: RoundStory) -> Hop:
    seen = sources(story)
    if not seen:
        return Hop("sources", None, "no node keeps what its sources said")
    used = [s for s in seen.values() if s.verdict in (USED, "")]
    lost = [s for s in seen.values() if s not in used]
    told = ", ".join(f"{s.name} {s.price}{_age(s.age_ms)}" for s in used)
    priced = "used" if any(quote.price is not None for quote in quotes(story)) else "fresh, but no price was made"
    parts = [f"{len(used)} of {len(seen)} {priced}" + (f": {told}" if told else "")]
    parts += [s.words for s in lost]
    times = [quote.received_ms for quote in quotes(story) if quote.received_ms is not None]
    return Hop("sources", min(times, default=None), "; ".join(parts))


def _age(age_ms: int | None) -> str:
    return "" if age_ms is None else f" ({age_ms / 1000:.1f} s old)"


def _served(story: RoundStory) -> Hop:
    found = [(node, node.quote) for node in story.nodes if node.quote is not None]
    if not found:
        return Hop("quote", None, "no node keeps the answer of its bridge")
    by_words: dict[str, list[str]] = {}
    for node, quote in found:
        spread = f", spread {quote.spread_bps} bps" if quote.spread_bps else ""
        words = f"none: {quote.error}" if quote.price is None else f"{quote.price}{spread}"
        by_words.setdefault(words, []).append(node.name)
    times = [quote.served_ms for _, quote in found if quote.served_ms is not None]
    told = "; ".join(f"{words} to {', '.join(names)}" for words, names in by_words.items())
    return Hop("quote", min(times, default=None), told)


def _observed(story: RoundStory) -> Hop:
    if not story.round:
        return Hop("observed", None, "no round of this epoch is kept")
    said = []
    report = story.report
    of_report = {} if report is None else dict(zip(report.observers, report.observations, strict=False))
    last_ms = None
    for index in range(story.n):
        node = next((each for each in story.nodes if each.index == index), None)
        value = of_report.get(index, "")
        if node is not None and node.has(pb.ROUND_STAGE_OBSERVED):
            value = node.moments[pb.ROUND_STAGE_OBSERVED].value
            last_ms = max(last_ms or 0, node.at_ms(pb.ROUND_STAGE_OBSERVED) or 0)
        elif node is not None and node.has(pb.ROUND_STAGE_UNOBSERVED):
            said.append(f"{story.name(index)} none")
            continue
        if value:
            beside = " (not in the report)" if report is not None and index not in of_report else ""
            said.append(f"{story.name(index)} {story.scaled(value)}{beside}")
        else:
            said.append(f"{story.name(index)} silent")
    count = sum(not each.endswith((" none", " silent")) for each in said)
    told = f"{count} of {story.n} ({story.quorum} needed): {', '.join(said)}" if said else "nobody is known to have"
    return Hop("observed", last_ms, told)


def _signed(story: RoundStory) -> Hop:
    report = story.report
    led = f", led by {story.leader}" if story.leader else ""
    if report is None:
        details = dict.fromkeys(
            node.moments[pb.ROUND_STAGE_COMPLETED].detail for node in story.at(pb.ROUND_STAGE_COMPLETED)
        )
        signed = [node.name for node in story.at(pb.ROUND_STAGE_REPORTED)]
        told = "; ".join(details) or (f"signed by {', '.join(signed)} only" if signed else "nobody was asked to sign")
        return Hop("report", None, f"none: {told}{led}")
    why = next((n.moments[pb.ROUND_STAGE_REPORTED].detail for n in story.at(pb.ROUND_STAGE_REPORTED)), "")
    because = f", since {_REASONS[why]}" if why in _REASONS else ""
    signers = f", signed by {', '.join(map(story.name, report.signers))}" if report.signers else ""
    median = f"median {story.scaled(report.value)} of {len(report.observers)}"
    return Hop("report", report.time.ToMilliseconds(), f"{median}{led}{signers}{because}")


def _transmitted(story: RoundStory) -> Hop:
    said, first_ms = [], None
    for node in story.nodes:
        if node.has(pb.ROUND_STAGE_TRANSMITTED):
            hashes = dict.fromkeys(m.transaction.hash for m in node.transactions)
            said.append(f"{node.name}{_stage(node)}" + (f": {', '.join(hashes)}" if hashes else ""))
            at_ms = node.at_ms(pb.ROUND_STAGE_TRANSMITTED)
            first_ms = at_ms if first_ms is None or (at_ms or 0) < first_ms else first_ms
        elif node.has(pb.ROUND_STAGE_FAILED):
            said.append(f"{node.name} failed: {node.moments[pb.ROUND_STAGE_FAILED].detail}")
        elif node.has(pb.ROUND_STAGE_SKIPPED):
            said.append(f"{node.name} did not: {_skipped(node)}")
    return Hop("transmitted", first_ms, "; ".join(said) or "nobody is known to have")


def _in_block(story: RoundStory) -> Hop:
    said, last_ms = [], None
    for node in story.nodes:
        for moment in node.transactions:
            seen = moment.transaction
            if moment.stage == pb.ROUND_STAGE_INCLUDED:
                last_ms = moment.time.ToMilliseconds()
                cost = f", {seen.gas_used} gas" if seen.gas_used else ""
                price = f" at {seen.gas_price_wei} wei" if cost and seen.gas_price_wei else ""
                said.append(f"block {seen.block_number} has {node.name}'s{cost}{price}")
            elif moment.stage == pb.ROUND_STAGE_REVERTED:
                said.append(f"block {seen.block_number} has {node.name}'s, reverted")
            elif moment.stage == pb.ROUND_STAGE_REORGANIZED:
                said.append(f"the block of {node.name}'s is gone")
            elif moment.stage == pb.ROUND_STAGE_LOST:
                said.append(f"{node.name}'s is lost")
    return Hop("included", last_ms if _included(story) is not None else None, "; ".join(said) or "no block is known")


def _skipped(node: NodeView) -> str:
    return node.moments[pb.ROUND_STAGE_SKIPPED].detail
