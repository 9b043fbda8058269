"""The transmission alone."""

import dataclasses

import pytest

from chainlink.contract.aggregator import TransmissionDetails
from services.oracle.ocr.config import SharedConfig
from services.oracle.ocr.protocol.actions import (
    Action,
    Complete,
    DeletePending,
    ReadContract,
    SavePending,
    SetTimer,
    Tell,
    Transmit,
)
from services.oracle.ocr.protocol.events import ContractWasRead, ReadPurpose, Timer, TimerKind, TransmitEnded
from services.oracle.ocr.protocol.messages import AttestedReportMany
from services.oracle.ocr.protocol.transmission import Transmission
from services.oracle.ocr.report import AttributedObservation
from services.oracle.ocr.state import PendingTransmission
from tests.oracle.ocr.committee import MS, S, make_committee

COMMITTEE = make_committee(alpha_ppb=10_000_000)
NOW_MS = 1_700_000_000_000
DIGEST = COMMITTEE.public.config_digest


def with_delay(delay_ns: int, epoch: int = 1, round_number: int = 1) -> SharedConfig:
    """Return the configuration as an oracle sees it that transmits a round after that delay."""
    return next(s for s in COMMITTEE.shared if s.transmit_delay_ns(epoch, round_number) == delay_ns)


def complete(epoch: int, round_number: int, value: int = 1000) -> Complete:
    """Return a completed round."""
    observations = tuple(AttributedObservation(i, value) for i in range(3))
    return Complete(epoch, round_number, AttestedReportMany(observations, (b"\1" * 64 + b"\0", b"\2" * 64 + b"\1")))


def contract_at(epoch: int, round_number: int, digest: bytes = DIGEST) -> TransmissionDetails:
    """Return a contract's state."""
    return TransmissionDetails(digest, epoch, round_number, 0, 0)


def decide(
    transmission: Transmission, epoch: int, round_number: int, contract: TransmissionDetails | None, value: int = 1000
) -> tuple[bool, str]:
    """Complete a round; return whether it was scheduled, and what was told."""
    asked = transmission.on_complete(complete(epoch, round_number, value))
    assert [ReadContract(ReadPurpose.SHOULD_SCHEDULE, epoch, round_number)] == asked
    read = ContractWasRead(ReadPurpose.SHOULD_SCHEDULE, epoch, round_number, contract)
    actions = transmission.on_should_schedule(read, NOW_MS)
    told = [action.trace.detail for action in actions if isinstance(action, Tell)]
    return any(isinstance(action, SavePending) for action in actions), told[0]


def acts(actions: list[Action]) -> list[Action]:
    """Return the actions that do something."""
    return [action for action in actions if not isinstance(action, Tell)]


def test_a_turn_in_the_schedule() -> None:
    """A report is saved, waits for its stage, is deleted, and goes out if the contract still lacks it."""
    transmission = Transmission(with_delay(2 * S))
    transmission.on_complete(complete(1, 1))
    read = ContractWasRead(ReadPurpose.SHOULD_SCHEDULE, 1, 1, contract_at(0, 0))
    save, wait = acts(transmission.on_should_schedule(read, NOW_MS))
    timer = Timer(TimerKind.TRANSMIT, 1, 1)

    assert isinstance(save, SavePending)
    assert (NOW_MS + 2000, 1000) == (save.pending.due_ms, save.pending.median)
    assert bytes([0, 1]) + bytes(30) == save.pending.raw_vs
    assert SetTimer(timer, 2 * S) == wait
    due = transmission.on_transmit_time(timer)
    assert [DeletePending(1, 1), ReadContract(ReadPurpose.SHOULD_TRANSMIT, 1, 1)] == due
    again = ContractWasRead(ReadPurpose.SHOULD_TRANSMIT, 1, 1, contract_at(0, 0))
    assert [Transmit(save.pending)] == acts(transmission.on_should_transmit(again, NOW_MS))
    assert [] == transmission.on_transmit_time(timer)


@pytest.mark.parametrize("contract", [None, contract_at(1, 1), contract_at(2, 0), contract_at(0, 0, bytes([9]) * 16)])
def test_not_sent_when_pointless(contract: TransmissionDetails | None) -> None:
    """At its time a report stays here if the contract has it, has another configuration or cannot be read."""
    transmission = Transmission(with_delay(0))
    assert (True, "") == decide(transmission, 1, 1, contract_at(0, 0))
    transmission.on_transmit_time(Timer(TimerKind.TRANSMIT, 1, 1))
    read = ContractWasRead(ReadPurpose.SHOULD_TRANSMIT, 1, 1, contract)

    assert [] == acts(transmission.on_should_transmit(read, NOW_MS))


def test_what_is_scheduled() -> None:
    """Old rounds, foreign digests and values that are on their way are not scheduled; others are."""
    transmission = Transmission(with_delay(0))
    start = contract_at(0, 0)

    assert (False, "the contract could not be read") == decide(transmission, 1, 2, None)
    assert (False, "the contract has another configuration") == decide(transmission, 1, 2, contract_at(0, 0, bytes(16)))
    assert (False, "the contract is as new") == decide(transmission, 1, 2, contract_at(1, 2))
    assert (True, "") == decide(transmission, 1, 2, start)
    assert (False, "a newer report is scheduled") == decide(transmission, 1, 1, start)
    assert (False, "an equal report is on its way") == decide(transmission, 1, 3, start, value=1009)
    assert (True, "") == decide(transmission, 1, 3, start, value=1010)
    assert (True, "") == decide(transmission, 1, 4, contract_at(1, 3), value=1010)


def test_failed_transaction_holds_nothing_back() -> None:
    """After a failed transaction an equal report of a later round is scheduled."""
    transmission = Transmission(with_delay(0))
    decide(transmission, 1, 1, contract_at(0, 0))
    transmission.on_transmit_ended(TransmitEnded(1, 1, "no gas"), NOW_MS)

    assert (True, "") == decide(transmission, 1, 2, contract_at(0, 0))


def test_restart() -> None:
    """What is not due is scheduled again, of what is overdue only the newest, at once."""

    def pending(round_number: int, due_ms: int) -> PendingTransmission:
        return PendingTransmission(2, round_number, due_ms, 1000, b"", (), (), bytes(32))

    left = (pending(1, NOW_MS - 50), pending(2, NOW_MS - 40), pending(3, NOW_MS + 700))
    transmission = Transmission(COMMITTEE.shared[0])
    actions = transmission.start(left, NOW_MS)

    assert [
        DeletePending(2, 1),
        SetTimer(Timer(TimerKind.TRANSMIT, 2, 2), 0),
        SetTimer(Timer(TimerKind.TRANSMIT, 2, 3), 700 * MS),
    ] == actions
    assert (False, "a newer report is scheduled") == decide(transmission, 2, 3, contract_at(2, 0))
    assert (False, "an equal report is on its way") == decide(transmission, 2, 4, contract_at(2, 0))


def test_uncovered_oracle_schedules_nothing() -> None:
    """An oracle without a stage never transmits, whatever completes."""
    committee = make_committee(s=())
    transmission = Transmission(dataclasses.replace(committee.shared[0]))
    contract = contract_at(0, 0, committee.public.config_digest)

    assert (False, "in no stage of the schedule") == decide(transmission, 1, 1, contract)
