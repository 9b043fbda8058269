"""What is said of rounds under injected faults: real oracles on a simulated clock, records of what they saw."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from feedmesh.oracle.v1 import oracle_service_pb2 as pb
from meshkit.explain.faults import FaultKind
from meshkit.explain.round_story import put_together
from meshkit.explain.sentences import Explanation, explain
from services.oracle.chain.transactions.transaction_news import TransactionMoment
from services.oracle.ocr.state import TraceKind
from tests.meshkit.explain.faulty_committee import (
    AT,
    NAMES,
    FaultyCommittee,
    absent,
    body,
    error_body,
    healthy,
    kinds,
    row,
    transmitter,
)
from tests.oracle.ocr.simulation import START_MS


def test_a_healthy_round_has_no_fault() -> None:
    """A round in which all went well is told from the sources into the block, and no fault is found."""
    faulty = healthy()
    sender = transmitter(faulty)
    faulty.transaction(sender, TransactionMoment.HANDED_OVER)
    faulty.transaction(sender, TransactionMoment.CONFIRMED, 1900, block=812, ok=True, gas_used=150_000)

    told = faulty.told(*faulty.place())

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
    faulty = healthy(text)
    faulty.run.simulation.now_ns = 20_000 * 10**6
    epoch, round_number = faulty.place()
    for record in faulty.run.records(epoch, round_number):
        for moment in record.moments:
            moment.time.FromMilliseconds(START_MS + 0)

    told = faulty.told(epoch, round_number)

    assert kind in kinds(told)
    assert words in told.words


def test_an_oracle_that_is_down_is_named() -> None:
    """An oracle without a record and without a part in the report took no part; the round has its answer."""
    faulty = FaultyCommittee(unheard={"chainlink-node-5": "no answer"})
    faulty.run.simulation.start_all(but=3)
    faulty.run.run(20)

    told = faulty.told(*faulty.place())

    assert {FaultKind.ORACLE_DOWN} == kinds(told)
    assert "node-5 took no part (no answer)" in told.words
    assert "quorum 3 of 4 observed" in told.words


def test_a_lost_quorum_is_named() -> None:
    """With two of four oracles down a round gets too few observations, and it is said how many a report needs."""
    faulty = healthy()
    for index in (2, 3):
        faulty.run.simulation.crash(index)
    faulty.run.run(10)
    epoch, round_number = next(
        (trace.epoch, trace.round)
        for _, trace in reversed(faulty.run.simulation.traces)
        if trace.kind is TraceKind.OBSERVATION_SENT
    )

    told = faulty.told(epoch, round_number)

    assert FaultKind.QUORUM_LOST in kinds(told)
    assert "2 of 4 oracles observed, a report needs 3" in told.words
    assert "" == told.answer


def test_a_silent_leader_is_named_and_who_followed() -> None:
    """A leader that asks for observations and then falls silent is named, with the epoch that took its place."""
    faulty = FaultyCommittee()
    simulation = faulty.run.simulation
    simulation.start_all()
    simulation.run_until(lambda: any(t.kind is TraceKind.ROUND_STARTED for _, t in simulation.traces), 10)
    _, started = next((i, t) for i, t in simulation.traces if t.kind is TraceKind.ROUND_STARTED)
    leader = started.leader
    assert leader is not None

    def mute(sender: int, _to: int, message: object) -> Sequence[Any]:
        return () if sender == leader and type(message).__name__ in ("ReportReq", "NewEpoch") else (message,)

    simulation.tamper = mute
    faulty.run.run(20)

    last = max(t.round for _, t in simulation.traces if t.epoch == started.epoch)

    told = faulty.told(started.epoch, last)

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
        ("execution reverted: unauthorized transmitter", FaultKind.UNAUTHORIZED),
        ("max fee per gas less than block base fee: maxFee 1, baseFee 9", FaultKind.GAS_TOO_LOW),
        ("replacement transaction underpriced", FaultKind.GAS_TOO_LOW),
    ],
)
def test_a_failed_transmission_says_why(error: str, kind: FaultKind) -> None:
    """A transmission that the chain did not take is named by its cause, in the chain's words, and by its node."""
    faulty = healthy()
    epoch, round_number = faulty.place()
    for record in faulty.run.records(epoch, round_number):
        for moment in record.moments:
            if record.oracle_index == transmitter(faulty) and moment.stage == _TRANSMITTED:
                moment.stage, moment.detail = _FAILED, error

    told = faulty.told(epoch, round_number)

    assert {kind} == kinds(told)
    assert f"could not transmit: {error}" in told.words


def test_an_rpc_that_is_away_is_named() -> None:
    """While nobody can read the contract, reports are signed by what was known and none is sent: the RPC is named."""
    faulty = healthy()
    before = len(faulty.run.simulation.traces)
    faulty.run.simulation.readable = False
    faulty.run.run(10)
    place = next(
        (trace.epoch, trace.round)
        for _, trace in faulty.run.simulation.traces[before:]
        if trace.kind is TraceKind.TRANSMISSION_SKIPPED and "could not be read" in trace.detail
    )

    told = faulty.told(*place)

    assert FaultKind.RPC_AWAY in kinds(told)
    assert "could not read the contract: the RPC gives no answer" in told.words
    assert "" == told.answer


def test_a_reorganization_is_named_and_whether_it_was_made_good() -> None:
    """A block that is gone is named; as long as no other has the transaction there is no answer, and then there is."""
    faulty = healthy()
    sender = transmitter(faulty)
    faulty.transaction(sender, TransactionMoment.HANDED_OVER)
    faulty.transaction(sender, TransactionMoment.CONFIRMED, 1000, block=812, ok=True)
    faulty.transaction(sender, TransactionMoment.REORGANIZED, 2000)
    gone = faulty.told(*faulty.place())
    faulty.transaction(sender, TransactionMoment.CONFIRMED, 3000, block=814, ok=True)
    again = faulty.told(*faulty.place())

    assert {FaultKind.REORGANIZATION} == kinds(gone) == kinds(again)
    assert ("", True) == (gone.answer, bool(again.answer))
    assert "no block is known to have it" in gone.words
    assert "included in block 814" in again.words


def test_a_late_block_is_named() -> None:
    """A transaction that waited long for its block is named with how long."""
    faulty = healthy()
    faulty.transaction(transmitter(faulty), TransactionMoment.HANDED_OVER)
    faulty.transaction(transmitter(faulty), TransactionMoment.CONFIRMED, 95_000, block=820, ok=True)

    told = faulty.told(*faulty.place())

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
    faulty = healthy()
    receipt = {"block": 9, "ok": False} if moment is TransactionMoment.REVERTED else {}
    faulty.transaction(transmitter(faulty), moment, **receipt)

    told = faulty.told(*faulty.place())

    assert {kind} == kinds(told)
    assert "" == told.answer


def test_a_transmitter_that_is_not_authorized_is_named() -> None:
    """What the contract said to a transaction that it reverted stands in the sentence, and names the fault."""
    faulty = healthy()
    news = replace(faulty.news(TransactionMoment.REVERTED, block=9, ok=False), reason=_UNKNOWN)
    faulty.run.recorders[transmitter(faulty)].transaction(news)

    told = faulty.told(*faulty.place())

    assert {FaultKind.UNAUTHORIZED} == kinds(told)
    assert f"transaction in block 9: {_UNKNOWN}" in told.words


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
    told = (faulty := healthy(error_body("OWN_CLOCK_OFF", "our own clock is 30 s ahead"))).told(*faulty.place())

    assert FaultKind.OWN_CLOCK_OFF in kinds(told)
    assert FaultKind.NO_PRICE not in kinds(told)


_UNKNOWN = "execution reverted: unauthorized transmitter"
_TRANSMITTED, _FAILED, _SCHEDULED = pb.ROUND_STAGE_TRANSMITTED, pb.ROUND_STAGE_FAILED, pb.ROUND_STAGE_SCHEDULED


def test_a_feed_that_stands_still_says_since_when_and_why() -> None:
    """After the last round nothing follows: too few oracles are the cause, and without a cause it is said."""
    faulty = healthy()
    epoch, round_number = faulty.place()
    records = {NAMES[record.oracle_index]: record for record in faulty.run.records(epoch, round_number)}
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


@pytest.mark.parametrize(
    ("name", "message", "kind"),
    [
        ("SOURCES_DISAGREE", "the prices of BTC/USD are 490 basis points apart", FaultKind.SOURCES_DISAGREE),
        ("PRICE_UNCONFIRMED", "the price of BTC/USD is not believed yet: 9, after 5", FaultKind.PRICE_UNCONFIRMED),
    ],
)
def test_why_a_price_is_not_believed_is_named(name: str, message: str, kind: FaultKind) -> None:
    """Where sources disagree, or all moved too far at once, that is the fault and not just a missing price."""
    told = (faulty := healthy(error_body(name, message))).told(*faulty.place())

    assert kind in kinds(told)
    assert FaultKind.NO_PRICE not in kinds(told)
    assert message in told.words


def test_a_late_transmission_names_who_should_have() -> None:
    """Where the first in the schedule is cut off, whoever transmits after it is named, and in whose place."""
    faulty = healthy()
    epoch, round_number = faulty.place()
    records = faulty.run.records(epoch, round_number)
    sender = transmitter(faulty)
    second = (sender + 1) % 4
    for record in records:
        kept = [m for m in record.moments if m.stage not in (_TRANSMITTED, pb.ROUND_STAGE_SKIPPED, _SCHEDULED)]
        at = next(m.time for m in record.moments if m.stage == pb.ROUND_STAGE_FINALIZED)
        if record.oracle_index == sender:
            kept.append(pb.RoundMoment(stage=_SCHEDULED, time=at, transmission_stage=0))
        if record.oracle_index == second:
            kept.append(pb.RoundMoment(stage=_SCHEDULED, time=at, transmission_stage=2))
            kept.append(pb.RoundMoment(stage=_TRANSMITTED, time=at))
        del record.moments[:]
        record.moments.extend(kept)

    told = faulty.told(epoch, round_number)

    late, early = (NAMES[index].removeprefix("chainlink-") for index in (second, sender))
    assert {FaultKind.LATE_TRANSMISSION} == kinds(told)
    assert f"{late} transmitted after stage 2 in the place of {early}" in told.words


def test_a_transaction_that_no_block_takes_is_named() -> None:
    """A transaction that was handed over a minute ago and is in no block is the fault, and its gas a possible cause."""
    faulty = healthy()
    sender = transmitter(faulty)
    faulty.transaction(sender, TransactionMoment.HANDED_OVER)
    epoch, round_number = faulty.place()
    records = {NAMES[record.oracle_index]: record for record in faulty.run.records(epoch, round_number)}
    handed_ms = max(m.time.ToMilliseconds() for m in records[NAMES[sender]].moments)

    told = {
        after_ms: explain(put_together(records, decimals=8, now_ms=handed_ms + after_ms))
        for after_ms in (5_000, 60_000)
    }

    assert set() == kinds(told[5_000])
    assert {FaultKind.NOT_INCLUDED} == kinds(told[60_000])
    assert "transaction has waited 60 s for a block" in told[60_000].words
