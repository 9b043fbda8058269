"""Leader and follower alone, message by message."""

import dataclasses

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chainlink.contract.aggregator import TransmissionDetails
from chainlink.ocr.report_context import context_tag
from services.oracle.ocr.crypto import sign_observation, sign_report
from services.oracle.ocr.protocol.actions import (
    Action,
    Broadcast,
    ChangeLeader,
    Complete,
    Progress,
    ReadContract,
    SaveSignedRound,
    SendTo,
    SetTimer,
    Tell,
)
from services.oracle.ocr.protocol.actions import Observe as AskDataSource
from services.oracle.ocr.protocol.events import ContractWasRead, Observed, ReadPurpose, SignedRoundSaved
from services.oracle.ocr.protocol.follower import Follower
from services.oracle.ocr.protocol.leader import GRACE, ROUND, Leader
from services.oracle.ocr.protocol.messages import (
    AttestedReportMany,
    AttestedReportOne,
    AttributedSignedObservation,
    Final,
    FinalEcho,
    Observe,
    ObserveReq,
    Report,
    ReportReq,
    SignedObservation,
)
from services.oracle.ocr.report import MAX_VALUE, AttributedObservation, encode_report
from services.oracle.ocr.state import SignedRound
from tests.oracle.ocr.committee import MS, S, make_committee

COMMITTEE = make_committee()
WITHOUT_ANSWER = TransmissionDetails(COMMITTEE.public.config_digest, 0, 0, 0, 0)
EPOCH, LEADER, OWN = 1, COMMITTEE.shared[0].leader(1), 0
NOW_MS = 1_700_000_000_000


def tag(round_number: int) -> bytes:
    """Return the context tag of a round of the epoch."""
    return context_tag(COMMITTEE.public.config_digest, EPOCH, round_number)


def observation(observer: int, value: int, round_number: int = 1) -> SignedObservation:
    """Return what an honest oracle observed."""
    key = Ed25519PrivateKey.from_private_bytes(COMMITTEE.keys[observer].offchain)
    return SignedObservation(value, sign_observation(key, tag(round_number), value))


def request(*pairs: tuple[int, int], round_number: int = 1) -> ReportReq:
    """Return a leader's request over (observer, value) pairs in the given order."""
    observations = [AttributedSignedObservation(o, observation(o, v, round_number)) for o, v in pairs]
    return ReportReq(EPOCH, round_number, tuple(observations))


def signature(signer: int, observations: tuple[AttributedObservation, ...], round_number: int = 1) -> bytes:
    """Return an oracle's signature over a report."""
    return sign_report(COMMITTEE.keys[signer].signing, encode_report(tag(round_number), observations))


def attested(*signers: int, round_number: int = 1) -> AttestedReportMany:
    """Return a report with the signatures of these oracles."""
    observations = tuple(AttributedObservation(i, 100 + i) for i in range(3))
    return AttestedReportMany(observations, tuple(signature(s, observations, round_number) for s in signers))


def silent(actions: list[Action]) -> list[Action]:
    """Return the actions that do something."""
    return [action for action in actions if not isinstance(action, Tell)]


@pytest.fixture(name="leader")
def _leader() -> Leader:
    """Return a leader in its first round."""
    leader = Leader(COMMITTEE.shared[LEADER], EPOCH)
    leader.on_round_time()
    return leader


@pytest.fixture(name="follower")
def _follower() -> Follower:
    """Return a follower in the leader's first round."""
    follower = Follower(COMMITTEE.shared[OWN], COMMITTEE.keys[OWN], EPOCH, LEADER, None)
    follower.on_observe_req(LEADER, ObserveReq(EPOCH, 1), NOW_MS)
    return follower


def test_leader_term() -> None:
    """A leader starts rMax rounds and announces one more, on a steady beat; then it is silent."""
    leader = Leader(COMMITTEE.shared[LEADER], EPOCH)
    beats = [leader.on_round_time() for _ in range(7)]

    assert [[Broadcast(ObserveReq(EPOCH, r)), SetTimer(ROUND, 2 * S)] for r in range(1, 6)] == beats[:5]
    assert [[], []] == beats[5:]


def test_leader_collects_until_grace_is_over(leader: Leader) -> None:
    """The third observation starts the grace period; all that came are asked for, sorted by value."""
    assert [] == leader.on_observe(3, Observe(EPOCH, 1, observation(3, 7)))
    assert [] == leader.on_observe(3, Observe(EPOCH, 1, observation(3, 1)))
    assert [] == leader.on_observe(0, Observe(EPOCH, 1, observation(0, 9)))
    assert [] == leader.on_observe(2, Observe(EPOCH, 2, observation(2, 5, 2)))
    assert [] == leader.on_observe(2, Observe(EPOCH, 1, observation(1, 5)))
    assert [] == leader.on_grace_time()
    assert [SetTimer(GRACE, 500 * MS)] == leader.on_observe(2, Observe(EPOCH, 1, observation(2, 8)))
    assert [] == leader.on_observe(1, Observe(EPOCH, 1, observation(1, -5)))
    assert [Broadcast(request((1, -5), (3, 7), (2, 8), (0, 9)))] == leader.on_grace_time()
    assert [] == leader.on_grace_time()


def test_leader_shows_equal_reports_only(leader: Leader) -> None:
    """f+1 signatures over the same observations make a Final; others, wrong and second ones do not count."""
    for observer in range(3):
        leader.on_observe(observer, Observe(EPOCH, 1, observation(observer, observer)))
    leader.on_grace_time()
    right = tuple(AttributedObservation(i, i) for i in range(3))
    wrong = right[:2]

    def report(signer: int, observations: tuple[AttributedObservation, ...]) -> Report:
        return Report(EPOCH, 1, AttestedReportOne(observations, signature(signer, observations)))

    assert [] == leader.on_report(2, report(2, right))
    assert [] == leader.on_report(2, report(2, right))
    assert [] == leader.on_report(1, report(1, wrong))
    assert [] == leader.on_report(3, report(0, right))
    final = leader.on_report(0, report(0, right))
    signatures = (signature(0, right), signature(2, right))
    assert [Broadcast(Final(EPOCH, 1, AttestedReportMany(right, signatures)))] == final
    assert [] == leader.on_report(3, report(3, right))


def test_follower_obeys_its_leader_only(follower: Follower) -> None:
    """Only the leader starts rounds, only later ones, and none after the end of its term."""
    assert [] == follower.on_observe_req((LEADER + 1) % 4, ObserveReq(EPOCH, 2), NOW_MS)
    assert [] == follower.on_observe_req(LEADER, ObserveReq(EPOCH, 1), NOW_MS)
    assert [] == follower.on_observe_req(LEADER, ObserveReq(EPOCH, 6), NOW_MS)
    assert [AskDataSource(EPOCH, 3)] == silent(follower.on_observe_req(LEADER, ObserveReq(EPOCH, 3), NOW_MS))
    assert [ChangeLeader()] == follower.on_observe_req(LEADER, ObserveReq(EPOCH, 5), NOW_MS)
    assert [] == follower.on_report_req(LEADER, request((1, 1), (2, 2), (3, 3), round_number=5), NOW_MS)


def test_follower_observes(follower: Follower) -> None:
    """An observation goes to the leader, signed; none, one for another round and one out of range do not."""
    assert [] == follower.on_observed(Observed(EPOCH, 1, None), NOW_MS)
    assert [] == follower.on_observed(Observed(EPOCH, 2, 5), NOW_MS)
    assert [] == follower.on_observed(Observed(EPOCH, 1, MAX_VALUE + 1), NOW_MS)
    sent = silent(follower.on_observed(Observed(EPOCH, 1, -5), NOW_MS))
    assert [SendTo(LEADER, Observe(EPOCH, 1, observation(OWN, -5)))] == sent


def test_follower_refuses_flawed_requests(follower: Follower) -> None:
    """Nothing is signed over too few, unsorted, repeated, unknown or forged observations, nor for others' requests."""
    good = request((1, 10), (2, 20), (3, 30))
    forged = dataclasses.replace(good.observations[0], observer=0)
    unknown = dataclasses.replace(good.observations[0], observer=4)
    for observations in (
        good.observations[:2],
        good.observations[::-1],
        (*good.observations, good.observations[-1]),
        (unknown, *good.observations[1:]),
        (forged, *good.observations[1:]),
        request((1, 10), (2, 20), (3, 30), round_number=2).observations,
    ):
        flawed = ReportReq(EPOCH, 1, observations)
        assert [] == silent(follower.on_report_req(LEADER, flawed, NOW_MS))
    assert [] == follower.on_report_req((LEADER + 1) % 4, good, NOW_MS)
    read = [ReadContract(ReadPurpose.SHOULD_REPORT, EPOCH, 1)]
    assert read == follower.on_report_req(LEADER, good, NOW_MS)
    assert [] == follower.on_report_req(LEADER, good, NOW_MS)


def test_follower_saves_then_signs(follower: Follower) -> None:
    """The signature leaves only after the round was saved, and only once."""
    follower.on_report_req(LEADER, request((1, 10), (2, 20), (3, 30)), NOW_MS)
    read = ContractWasRead(ReadPurpose.SHOULD_REPORT, EPOCH, 1, WITHOUT_ANSWER)
    assert [SaveSignedRound(SignedRound(EPOCH, 1))] == follower.on_contract_read(read, NOW_MS)
    assert [] == follower.on_contract_read(read, NOW_MS)
    observations = (AttributedObservation(1, 10), AttributedObservation(2, 20), AttributedObservation(3, 30))
    report = AttestedReportOne(observations, signature(OWN, observations))
    sent = silent(follower.on_signed_round_saved(SignedRoundSaved(SignedRound(EPOCH, 1), ok=True), NOW_MS))
    assert [SendTo(LEADER, Report(EPOCH, 1, report))] == sent


def test_follower_without_an_observation_signs_all_the_same(follower: Follower) -> None:
    """Whoever has no value of its own still signs what the others observed, echoes it, and completes the round."""
    assert [] == silent(follower.on_observed(Observed(EPOCH, 1, None), NOW_MS))
    follower.on_report_req(LEADER, request((1, 100), (2, 101), (3, 102)), NOW_MS)
    follower.on_contract_read(ContractWasRead(ReadPurpose.SHOULD_REPORT, EPOCH, 1, WITHOUT_ANSWER), NOW_MS)
    (sent,) = silent(follower.on_signed_round_saved(SignedRoundSaved(SignedRound(EPOCH, 1), ok=True), NOW_MS))
    assert isinstance(sent, SendTo)
    assert isinstance(sent.message, Report)
    assert signature(OWN, sent.message.report.observations) == sent.message.report.signature

    report = attested(1, 2)
    assert [Broadcast(FinalEcho(EPOCH, 1, report))] == follower.on_final(LEADER, Final(EPOCH, 1, report))
    follower.on_final_echo(OWN, FinalEcho(EPOCH, 1, report), NOW_MS)
    done = silent(follower.on_final_echo(2, FinalEcho(EPOCH, 1, report), NOW_MS))
    assert [Complete(EPOCH, 1, report), Progress()] == done


def test_follower_completes_what_is_not_worth_reporting(follower: Follower) -> None:
    """When nothing changed the round is complete without a signature."""
    follower.on_report_req(LEADER, request((1, 20), (2, 20), (3, 20)), NOW_MS)
    details = TransmissionDetails(COMMITTEE.public.config_digest, 1, 0, 20, NOW_MS // 1000)
    read = ContractWasRead(ReadPurpose.SHOULD_REPORT, EPOCH, 1, details)

    assert [Progress()] == silent(follower.on_contract_read(read, NOW_MS))


def test_follower_echoes_and_completes(follower: Follower) -> None:
    """A valid Final is echoed once; f+1 echoes complete the round once."""
    report = attested(1, 2)
    assert [] == follower.on_final((LEADER + 1) % 4, Final(EPOCH, 1, report))
    assert [Broadcast(FinalEcho(EPOCH, 1, report))] == follower.on_final(LEADER, Final(EPOCH, 1, report))
    assert [] == follower.on_final(LEADER, Final(EPOCH, 1, report))
    assert [] == silent(follower.on_final_echo(OWN, FinalEcho(EPOCH, 1, report), NOW_MS))
    assert [] == silent(follower.on_final_echo(OWN, FinalEcho(EPOCH, 1, report), NOW_MS))
    done = [Complete(EPOCH, 1, report), Progress()]
    assert done == silent(follower.on_final_echo(3, FinalEcho(EPOCH, 1, report), NOW_MS))
    assert [] == silent(follower.on_final_echo(2, FinalEcho(EPOCH, 1, report), NOW_MS))


def test_follower_adopts_an_echo(follower: Follower) -> None:
    """Without the leader's Final the first echo serves as well."""
    report = attested(1, 2)
    first = follower.on_final_echo(3, FinalEcho(EPOCH, 1, report), NOW_MS)

    assert [Broadcast(FinalEcho(EPOCH, 1, report))] == first


def test_follower_refuses_weak_reports(follower: Follower) -> None:
    """Too few, repeated, foreign and other rounds' signatures attest nothing."""
    report = attested(1, 2)
    stranger = sign_report(b"\1" * 32, encode_report(tag(1), report.observations))
    for weak in (
        attested(1),
        attested(1, 1),
        attested(1, 2, round_number=2),
        dataclasses.replace(report, signatures=(*report.signatures, stranger)),
        dataclasses.replace(report, observations=report.observations[:2]),
    ):
        assert [] == follower.on_final(LEADER, Final(EPOCH, 1, weak))
        assert [] == follower.on_final_echo(3, FinalEcho(EPOCH, 1, weak), NOW_MS)
