"""What a node records of its rounds."""

from eth_abi.abi import encode

from chainlink.contract.aggregator import NEW_TRANSMISSION, transmit_calldata
from chainlink.ocr.report_context import context_tag
from feedmesh.oracle.v1 import oracle_service_pb2 as pb
from meshkit.clock import ManualClock
from meshkit.metrics import RPC_METRICS, Registry
from meshkit.ocr.hops import Moment
from services.oracle.chain.transactions.in_flight import Receipt
from services.oracle.chain.transactions.transaction_news import TransactionMoment, TransactionNews
from services.oracle.hop_metrics import HOP_METRICS, HopMetrics
from services.oracle.ocr.report import AttributedObservation, encode_report
from services.oracle.round_records.recorder import LONGEST_BODY, BridgeAnswer, Observation
from tests.oracle.ocr.committee import CONTRACT, make_committee
from tests.oracle.round_records.recording import FEED, Notebook, RecordedCommittee, recorder_of

COMMITTEE = make_committee()
DIGEST = COMMITTEE.shared[0].config_digest
OBSERVED = tuple(AttributedObservation(index, 100 + index) for index in range(3))


def data(epoch: int = 2, round_number: int = 3, digest: bytes = DIGEST) -> bytes:
    """Return the call data of a transmission."""
    report = encode_report(context_tag(digest, epoch, round_number), OBSERVED)
    return transmit_calldata(report, [bytes(32)], [bytes(32)], bytes(32))


def news(moment: TransactionMoment, call: bytes, receipt: Receipt | None = None) -> TransactionNews:
    """Return news of a transaction to the feed's contract."""
    return TransactionNews(moment, "0xSender", CONTRACT, call, "0xhash", 7, receipt)


def test_a_round_is_recorded_from_its_start_to_its_end() -> None:
    """Of a round that reports, each oracle has the start, its observation, the report with all values and signers."""
    run = RecordedCommittee(COMMITTEE)
    run.simulation.start_all()
    run.run(6)
    epoch, round_number, *_ = run.simulation.contract.accepted[0]

    records = run.records(epoch, round_number)

    assert [0, 1, 2, 3] == [record.oracle_index for record in records]
    assert {(FEED, CONTRACT, DIGEST.hex(), 4, 1)} == {
        (record.name, record.contract_address, record.config_digest, record.n, record.f) for record in records
    }
    for record in records:
        stages = {moment.stage: moment for moment in record.moments}
        assert {pb.ROUND_STAGE_STARTED, pb.ROUND_STAGE_OBSERVED, pb.ROUND_STAGE_FINALIZED} <= set(stages)
        final = stages[pb.ROUND_STAGE_FINALIZED]
        values = [int(value) for value in final.observations]
        assert sorted(values) == values
        assert int(final.value) == values[len(values) // 2]
        assert len(final.signers) >= 2
        if pb.ROUND_STAGE_REPORTED in stages:
            assert "initial_round" == stages[pb.ROUND_STAGE_REPORTED].detail


def test_the_stage_of_a_transmission_is_recorded() -> None:
    """Who waits for its turn records in which stage of the schedule that is, and until when."""
    run = RecordedCommittee(COMMITTEE)
    run.simulation.start_all()
    run.run(6)
    epoch, round_number, *_ = run.simulation.contract.accepted[0]

    scheduled = [
        moment
        for record in run.records(epoch, round_number)
        for moment in record.moments
        if moment.stage == pb.ROUND_STAGE_SCHEDULED
    ]
    assert {0, 1, 2} >= {moment.transmission_stage for moment in scheduled}
    assert all(moment.due_time.ToNanoseconds() >= moment.time.ToNanoseconds() for moment in scheduled)


def test_a_transaction_is_found_to_its_round() -> None:
    """What becomes of a transmission is recorded with its report's round, with block, gas and contract's number."""
    notebook = Notebook(ManualClock(1_000_000))
    recorder = recorder_of(notebook)
    recorder.begin(FEED, CONTRACT, COMMITTEE.shared[0])
    types = ["int192", "address", "int192[]", "bytes", "bytes32"]
    said = encode(types, [101, "0x" + "11" * 20, [100, 101, 102], b"\0\1\2", bytes(32)])
    topics = ["0x" + NEW_TRANSMISSION.topic.hex(), "0x" + (42).to_bytes(32, "big").hex()]
    logs = ({"topics": ["0x" + "00" * 32], "data": "0x"}, {"topics": topics, "data": "0x" + said.hex()})
    receipt = Receipt("0xmined", 812, ok=True, gas_used=150_000, gas_price_wei=9, logs=logs)

    recorder.transaction(news(TransactionMoment.HANDED_OVER, data()))
    recorder.transaction(news(TransactionMoment.CONFIRMED, data(), receipt))

    ((key, record),) = notebook.records.items()
    assert (DIGEST, 2, 3) == (key.config_digest, key.epoch, key.round)
    assert [pb.ROUND_STAGE_HANDED_OVER, pb.ROUND_STAGE_INCLUDED] == [moment.stage for moment in record.moments]
    seen = record.moments[1].transaction
    assert (812, 150_000, "9", 42) == (seen.block_number, seen.gas_used, seen.gas_price_wei, seen.contract_round)


def test_the_hops_into_a_block_are_measured() -> None:
    """From the signed report to the hand-over, and from there to the block; a transaction that is lost has no block."""
    notebook, registry = Notebook(ManualClock(1_000_000)), Registry((*RPC_METRICS, *HOP_METRICS))
    hops = HopMetrics(registry)
    recorder = recorder_of(notebook, hops)
    recorder.begin(FEED, CONTRACT, COMMITTEE.shared[0])
    hops.note(FEED, 2, 3, {Moment.SIGNED: 999_750})
    recorder.transaction(news(TransactionMoment.HANDED_OVER, data()))
    notebook.clock.advance(2)
    recorder.transaction(news(TransactionMoment.LOST, data()))
    recorder.transaction(news(TransactionMoment.CONFIRMED, data()))
    page = registry.render().decode()

    for hop, seconds in (("transmitted", 0.25), ("included", 2.0)):
        assert f'feedmesh_round_hop_seconds_sum{{hop="{hop}",job_name="{FEED}"}} {seconds}\n' in page


def test_what_is_no_transmission_of_a_feed_is_left_out() -> None:
    """Other calls, other contracts and broken call data cost no round anything; what is broken is counted."""
    notebook = Notebook(ManualClock(1_000_000))
    recorder = recorder_of(notebook)
    moment = TransactionMoment.HANDED_OVER
    recorder.transaction(news(moment, data()))
    recorder.begin(FEED, CONTRACT, COMMITTEE.shared[0])
    recorder.transaction(news(moment, b"\1\2\3\4"))
    assert 0 == recorder.failed

    recorder.transaction(news(moment, data()[:100]))

    assert 1 == recorder.failed
    assert {} == notebook.records


def test_an_old_configuration_keeps_its_rounds_apart() -> None:
    """A transaction of a report under another configuration belongs to a round of that one."""
    notebook = Notebook(ManualClock(1_000_000))
    recorder = recorder_of(notebook)
    recorder.begin(FEED, CONTRACT, COMMITTEE.shared[0])
    other = bytes(range(16))

    recorder.transaction(news(TransactionMoment.LOST, data(digest=other)))

    ((key, record),) = notebook.records.items()
    assert other == key.config_digest
    assert "" == record.config_digest


def test_a_long_body_is_not_kept() -> None:
    """A body that is too long to be kept leaves an empty place, and the rest of the observation is there."""
    notebook = Notebook(ManualClock(1_000_000))
    recorder = recorder_of(notebook)
    recorder.begin(FEED, CONTRACT, COMMITTEE.shared[0])
    answers = [BridgeAnswer("a", "x" * (LONGEST_BODY + 1)), BridgeAnswer("b", "y" * LONGEST_BODY)]

    recorder.observed(CONTRACT, Observation(1, 1, 5, 9, answers, error="no value"))

    ((_, record),) = notebook.records.items()
    moment = record.moments[0]
    assert pb.ROUND_STAGE_UNOBSERVED == moment.stage
    assert ["", "y" * LONGEST_BODY] == [answer.body for answer in moment.answers]
    assert (5, 9, "no value") == (moment.began_time.ToMilliseconds(), moment.time.ToMilliseconds(), moment.detail)
