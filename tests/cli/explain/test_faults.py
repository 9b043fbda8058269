"""What is said of rounds under injected faults: real oracles on a simulated clock, records of what they saw."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from chainlink.contract.aggregator import transmit_calldata
from chainlink.ocr.report_context import context_tag
from cli.explain.faults import FaultKind
from cli.explain.round_story import put_together
from cli.explain.sentences import Explanation, explain
from feedmesh.oracle.v1 import oracle_service_pb2 as pb
from services.oracle.chain.transactions.in_flight import Receipt
from services.oracle.chain.transactions.transaction_news import TransactionMoment, TransactionNews
from services.oracle.ocr.report import AttributedObservation, encode_report
from services.oracle.ocr.state import TraceKind
from tests.oracle.ocr.committee import CONTRACT, Committee, make_committee
from tests.oracle.ocr.simulation import START_MS
from tests.oracle.round_records.recording import RecordedCommittee

COMMITTEE = make_committee()
NAMES = ("chainlink-node-2", "chainlink-node-3", "chainlink-node-4", "chainlink-node-5")
AT = "2023-11-14T22:13:{:02d}.000Z"


def row(source: str, price: str = "100.1", second: int = 20) -> dict[str, object]:
    """Return a source's price in an aggregator's answer."""
    return {"source": source, "pair": ["BTC", "USD"], "price": price, "receivedAt": AT.format(second)}


def absent(source: str, verdict: str, **more: object) -> dict[str, object]:
    """Return a source without a price in an aggregator's answer."""
    return {"source": source, "pair": ["BTC", "USD"], "verdict": verdict, **more}


def body(*sources: dict[str, object], **more: object) -> str:
    """Return an aggregator's answer with a price."""
    data = {"pair": "BTC/USD", "price": "100.1", "spreadBps": "2.5", "sources": list(sources), **more}
    return orjson.dumps({"data": data, "timestamps": {"answeredUnixMs": START_MS}}).decode()


def error_body(name: str, message: str, **more: object) -> str:
    """Return an aggregator's answer without a price."""
    return orjson.dumps({"error": {"name": name, "message": message}, **more}).decode()


WHOLE = body(row("binance"), row("kraken"), row("okx"))


@dataclass
class Scene:
    """Hold a committee under a fault, and what is told of one of its rounds."""

    run: RecordedCommittee = field(default_factory=lambda: RecordedCommittee(COMMITTEE))
    unheard: dict[str, str] = field(default_factory=dict)

    def bodies(self, text: str) -> None:
        """Let each node's bridge answer with that."""
        self.run.bodies = dict.fromkeys(range(4), text)

    def place(self, kind: TraceKind = TraceKind.FINAL) -> tuple[int, int]:
        """Return epoch and round of the first moment of a kind."""
        return next((trace.epoch, trace.round) for _, trace in self.run.simulation.traces if trace.kind is kind)

    def told(self, epoch: int, round_number: int) -> Explanation:
        """Return what is said of a round."""
        records = {NAMES[record.oracle_index]: record for record in self.run.records(epoch, round_number)}
        later = [
            record
            for key, record in self.run.notebooks[0].records.items()
            if (key.epoch, key.round) > (epoch, round_number)
        ]
        names = {index: name.removeprefix("chainlink-") for index, name in enumerate(NAMES)}
        story = put_together(records, decimals=8, names=names, unheard=self.unheard, later=later)
        return explain(story)

    def transaction(self, index: int, moment: TransactionMoment, after_ms: int = 0, **receipt: Any) -> None:
        """Tell an oracle's recorder of the transaction of its first report."""
        epoch, round_number = self.place()
        report = encode_report(
            context_tag(COMMITTEE.shared[0].config_digest, epoch, round_number), [AttributedObservation(0, 1)]
        )
        call = transmit_calldata(report, [bytes(32)], [bytes(32)], bytes(32))
        seen = Receipt("0xabc", **receipt) if receipt else None
        notebook = self.run.notebooks[index]
        target_ms = self.run.simulation.now_ms + after_ms
        notebook.clock.advance((target_ms - notebook.clock.time_ms()) / 1000)
        self.run.recorders[index].transaction(TransactionNews(moment, "0xFrom", CONTRACT, call, "0xabc", 1, seen))


def kinds(told: Explanation) -> set[FaultKind]:
    """Return the kinds of the faults."""
    return {fault.kind for fault in told.faults}


def healthy(text: str = WHOLE, committee: Committee = COMMITTEE) -> Scene:
    """Return a committee that reports."""
    scene = Scene(RecordedCommittee(committee))
    scene.bodies(text)
    scene.run.simulation.start_all()
    scene.run.run(6)
    return scene


def transmitter(scene: Scene) -> int:
    """Return who transmitted the first report."""
    return scene.run.simulation.contract.accepted[0][2]


def test_a_healthy_round_has_no_fault() -> None:
    """A round in which all went well is told from the sources into the block, and no fault is found."""
    scene = healthy()
    sender = transmitter(scene)
    scene.transaction(sender, TransactionMoment.HANDED_OVER)
    scene.transaction(sender, TransactionMoment.CONFIRMED, 1900, block=812, ok=True, gas_used=150_000)

    told = scene.told(*scene.place())

    assert [] == list(told.faults)
    assert told.answer
    assert told.words.startswith("all 3 sources used; quorum ")
    assert "of 4 observed" in told.words
    assert f"{NAMES[sender].removeprefix('chainlink-')} transmitted" in told.words
    assert "included in block 812" in told.words
    assert ["sources", "quote", "observed", "report", "transmitted", "included"] == [hop.name for hop in told.hops]


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        pytest.param(
            body(row("binance"), row("okx"), absent=[absent("kraken", "stale", lastPriceAt=AT.format(6))]),
            FaultKind.SOURCE_STALE,
            "1 of 3 sources refused: kraken stale 14 s",
            id="a source is stale",
        ),
        pytest.param(
            body(row("binance"), row("kraken"), leftOut=[row("okx", "104.2041") | {"verdict": "outlier"}]),
            FaultKind.SOURCE_OUTLIER,
            "1 of 3 sources refused: okx 4.1 % from the median",
            id="a source is an outlier",
        ),
        pytest.param(
            body(
                row("binance"),
                row("okx"),
                absent=[absent("kraken", "refused", rule="book", message="kraken: price is far below the bid")],
            ),
            FaultKind.SOURCE_REFUSED,
            "kraken refused by the rule book: price is far below the bid",
            id="a source is refused",
        ),
        pytest.param(
            body(
                row("binance"), absent=[absent("kraken", "failed", message="kraken: HTTP 500"), absent("okx", "silent")]
            ),
            FaultKind.SOURCES_LOST,
            "2 of 3 sources refused: kraken failed: HTTP 500, okx silent",
            id="two sources are lost",
        ),
    ],
)
def test_a_source_is_named(text: str, kind: FaultKind, words: str) -> None:
    """A source that did not count is named with the reason, and the round goes on to its answer."""
    scene = healthy(text)
    scene.run.simulation.now_ns = 20_000 * 10**6
    epoch, round_number = scene.place()
    for record in scene.run.records(epoch, round_number):
        for moment in record.moments:
            moment.time.FromMilliseconds(START_MS + 0)

    told = scene.told(epoch, round_number)

    assert kind in kinds(told)
    assert words in told.words


def test_an_oracle_that_is_down_is_named() -> None:
    """An oracle without a record and without a part in the report took no part; the round has its answer."""
    scene = Scene(unheard={"chainlink-node-5": "no answer"})
    scene.run.simulation.start_all(but=3)
    scene.run.run(20)

    told = scene.told(*scene.place())

    assert {FaultKind.ORACLE_DOWN} == kinds(told)
    assert "node-5 took no part (no answer)" in told.words
    assert "quorum 3 of 4 observed" in told.words


def test_a_lost_quorum_is_named() -> None:
    """With two of four oracles down a round gets too few observations, and it is said how many a report needs."""
    scene = healthy()
    for index in (2, 3):
        scene.run.simulation.crash(index)
    scene.run.run(10)
    epoch, round_number = next(
        (trace.epoch, trace.round)
        for _, trace in reversed(scene.run.simulation.traces)
        if trace.kind is TraceKind.OBSERVATION_SENT
    )

    told = scene.told(epoch, round_number)

    assert FaultKind.QUORUM_LOST in kinds(told)
    assert "2 of 4 oracles observed, a report needs 3" in told.words
    assert "" == told.answer


def test_a_silent_leader_is_named_and_who_followed() -> None:
    """A leader that asks for observations and then falls silent is named, with the epoch that took its place."""
    scene = Scene()
    simulation = scene.run.simulation
    simulation.start_all()
    simulation.run_until(lambda: any(t.kind is TraceKind.ROUND_STARTED for _, t in simulation.traces), 10)
    _, started = next((i, t) for i, t in simulation.traces if t.kind is TraceKind.ROUND_STARTED)
    leader = started.leader
    assert leader is not None

    def mute(sender: int, _to: int, message: object) -> Sequence[Any]:
        return () if sender == leader and type(message).__name__ in ("ReportReq", "NewEpoch") else (message,)

    simulation.tamper = mute
    scene.run.run(20)

    last = max(t.round for _, t in simulation.traces if t.epoch == started.epoch)

    told = scene.told(started.epoch, last)

    assert FaultKind.LEADER_FAULT in kinds(told)
    assert f"the leader {NAMES[leader].removeprefix('chainlink-')} asked for no report" in told.words
    assert f"; epoch {started.epoch + 1} began " in told.words


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("0xFrom cannot pay: insufficient funds for gas * price + value", FaultKind.OUT_OF_FUNDS),
        ("eth_sendRawTransaction: no endpoint was reached", FaultKind.RPC_AWAY),
        ("the feed is pinned: the answer 9 is outside of 1 to 5", FaultKind.ANSWER_OUT_OF_BOUNDS),
        ("a newer report of this feed came first", FaultKind.TRANSMISSION_FAILED),
    ],
)
def test_a_failed_transmission_says_why(error: str, kind: FaultKind) -> None:
    """A transmission that the chain did not take is named by its cause, in the chain's words, and by its node."""
    scene = healthy()
    epoch, round_number = scene.place()
    for record in scene.run.records(epoch, round_number):
        for moment in record.moments:
            if record.oracle_index == transmitter(scene) and moment.stage == _TRANSMITTED:
                moment.stage, moment.detail = _FAILED, error

    told = scene.told(epoch, round_number)

    assert {kind} == kinds(told)
    assert f"could not transmit: {error}" in told.words


def test_an_rpc_that_is_away_is_named() -> None:
    """While nobody can read the contract, reports are signed by what was known and none is sent: the RPC is named."""
    scene = healthy()
    before = len(scene.run.simulation.traces)
    scene.run.simulation.readable = False
    scene.run.run(10)
    place = next(
        (trace.epoch, trace.round)
        for _, trace in scene.run.simulation.traces[before:]
        if trace.kind is TraceKind.TRANSMISSION_SKIPPED and "could not be read" in trace.detail
    )

    told = scene.told(*place)

    assert FaultKind.RPC_AWAY in kinds(told)
    assert "could not read the contract: the RPC gives no answer" in told.words
    assert "" == told.answer


def test_a_reorganization_is_named_and_whether_it_was_made_good() -> None:
    """A block that is gone is named; as long as no other has the transaction there is no answer, and then there is."""
    scene = healthy()
    sender = transmitter(scene)
    scene.transaction(sender, TransactionMoment.HANDED_OVER)
    scene.transaction(sender, TransactionMoment.CONFIRMED, 1000, block=812, ok=True)
    scene.transaction(sender, TransactionMoment.REORGANIZED, 2000)
    gone = scene.told(*scene.place())
    scene.transaction(sender, TransactionMoment.CONFIRMED, 3000, block=814, ok=True)
    again = scene.told(*scene.place())

    assert {FaultKind.REORGANIZATION} == kinds(gone) == kinds(again)
    assert ("", True) == (gone.answer, bool(again.answer))
    assert "no block is known to have it" in gone.words
    assert "included in block 814" in again.words


def test_a_late_block_is_named() -> None:
    """A transaction that waited long for its block is named with how long."""
    scene = healthy()
    scene.transaction(transmitter(scene), TransactionMoment.HANDED_OVER)
    scene.transaction(transmitter(scene), TransactionMoment.CONFIRMED, 95_000, block=820, ok=True)

    told = scene.told(*scene.place())

    assert {FaultKind.LATE_INCLUSION} == kinds(told)
    assert "transaction waited 95 s for a block" in told.words


@pytest.mark.parametrize(
    ("moment", "kind"),
    [
        (TransactionMoment.REVERTED, FaultKind.REVERTED),
        (TransactionMoment.LOST, FaultKind.TRANSACTION_LOST),
    ],
)
def test_a_transaction_without_effect_is_named(moment: TransactionMoment, kind: FaultKind) -> None:
    """A transaction that the contract refused, or that no block can have, leaves the round without an answer."""
    scene = healthy()
    receipt = {"block": 9, "ok": False} if moment is TransactionMoment.REVERTED else {}
    scene.transaction(transmitter(scene), moment, **receipt)

    told = scene.told(*scene.place())

    assert {kind} == kinds(told)
    assert "" == told.answer


def test_a_price_that_is_missing_for_all_is_named() -> None:
    """Where the aggregator gave no price, its reason and each source's stand in the sentence."""
    text = error_body(
        "TOO_FEW_SOURCES",
        "BTC/USD has 1 fresh sources, 2 are required",
        sources=[row("binance")],
        absent=[absent("kraken", "failed", message="kraken: HTTP 500")],
    )
    told = healthy(text).told(*healthy(text).place())

    assert FaultKind.NO_PRICE in kinds(told)
    assert "1 fresh sources, 2 are required" in told.words
    assert "kraken failed: HTTP 500" in told.words


def test_our_own_clock_is_named() -> None:
    """Where there are no prices since our own clock is off, that is the fault, and not the prices."""
    told = (scene := healthy(error_body("OWN_CLOCK_OFF", "our own clock is 30 s ahead"))).told(*scene.place())

    assert FaultKind.OWN_CLOCK_OFF in kinds(told)
    assert FaultKind.NO_PRICE not in kinds(told)


_TRANSMITTED, _FAILED = pb.ROUND_STAGE_TRANSMITTED, pb.ROUND_STAGE_FAILED


def test_a_feed_that_stands_still_says_since_when_and_why() -> None:
    """After the last round nothing follows: too few oracles are the cause, and without a cause it is said."""
    scene = healthy()
    epoch, round_number = scene.place()
    records = {NAMES[record.oracle_index]: record for record in scene.run.records(epoch, round_number)}
    names = {index: name.removeprefix("chainlink-") for index, name in enumerate(NAMES)}
    end_ms = max(m.time.ToMilliseconds() for record in records.values() for m in record.moments)

    def told(idle_ms: int, *away: str) -> Explanation:
        unheard = dict.fromkeys(away, "it does not run")
        story = put_together(records, decimals=8, names=names, unheard=unheard, asked_ms=end_ms + idle_ms)
        return explain(story)

    lost = told(22_000, "node-4", "node-5")
    assert {FaultKind.QUORUM_LOST} == kinds(lost)
    assert "since then, 22 s, no round has begun: quorum lost: 2 of 4 oracles are there, a report needs 3" in lost.words
    assert {FaultKind.STANDS_STILL} == kinds(told(90_000, "node-5"))
    assert set() == kinds(told(20_000, "node-5"))
