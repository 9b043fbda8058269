"""Oracles that lie: each follows the protocol, and what it sends is replaced, doubled, withheld or made up."""

import dataclasses
import enum
import random
from collections import deque
from collections.abc import Iterable, Iterator

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chainlink.ocr.report_context import context_tag
from services.oracle.ocr.crypto import sign_observation, sign_report
from services.oracle.ocr.protocol.messages import (
    AttestedReportMany,
    Final,
    FinalEcho,
    Message,
    NewEpoch,
    Observe,
    ObserveReq,
    Report,
    ReportReq,
    SignedObservation,
)
from services.oracle.ocr.report import MAX_VALUE, MIN_VALUE, AttributedObservation, encode_report
from services.oracle.ocr.state import PendingTransmission
from tests.oracle.ocr.committee import Committee
from tests.oracle.ocr.fake_contract import FakeContract, Reverted

EXTREMES = (MIN_VALUE, -1, 0, 1, MAX_VALUE)
_REMEMBERED = 200


class Lie(enum.Enum):
    """Name the ways in which an oracle may be faulty."""

    EXTREME_VALUES = "extreme_values"
    TWO_OBSERVATIONS = "two_observations"
    BAD_SIGNATURES = "bad_signatures"
    REPLAY = "replay"
    SILENT_LEADER = "silent_leader"
    SPLIT_REQUESTS = "split_requests"
    FORGED_REQUESTS = "forged_requests"
    SPLIT_ECHOES = "split_echoes"
    TWO_FINALS = "two_finals"
    FORGED_FINAL = "forged_final"
    EPOCH_STORM = "epoch_storm"
    STALE_TRANSMISSIONS = "stale_transmissions"


class Liar:
    """Be the mouth of a faulty oracle; `allies` are all faulty ones, who sign whatever it wants."""

    def __init__(
        self, committee: Committee, index: int, allies: Iterable[int], lies: frozenset[Lie], seed: int
    ) -> None:
        self._committee = committee
        self._index = index
        self._allies = sorted(allies)
        self._lies = lies
        self._random = random.Random(seed)
        self._likelihood = self._random.choice((0.5, 1.0))
        self._said: deque[Message] = deque(maxlen=_REMEMBERED)
        self._heard: dict[tuple[int, int], dict[tuple[AttributedObservation, ...], bytes]] = {}

    def hear(self, message: Message) -> None:
        """Take notice of what an honest oracle sends to this one."""
        if isinstance(message, Report) and len(self._allies) == self._committee.public.f:
            reports = self._heard.setdefault((message.epoch, message.round), {})
            reports[message.report.observations] = message.report.signature

    def say(self, to: int, message: Message) -> list[Message]:
        """Return what is sent in place of an honest message."""
        said = list(self._twist(to, message))
        self._said.extend(said)
        if Lie.REPLAY in self._lies and self._said:
            said += [self._random.choice(self._said) for _ in range(self._random.randrange(3))]
            self._random.shuffle(said)
        if Lie.EPOCH_STORM in self._lies and self._chance():
            said.append(NewEpoch(self._random.choice((0, 1, message.epoch + 1, message.epoch + 9, (1 << 32) - 1))))
        return said

    def transmit(self, contract: FakeContract, pending: PendingTransmission, now_ms: int) -> None:
        """Send the report, and others that the contract has to refuse."""
        if Lie.STALE_TRANSMISSIONS in self._lies:
            forged = pending.report[:-1] + bytes([pending.report[-1] ^ 1])
            self._try(contract, forged, pending, now_ms)
        contract.transmit(self._index, pending.report, pending.rs, pending.ss, pending.raw_vs, now_ms)
        if Lie.STALE_TRANSMISSIONS in self._lies:
            self._try(contract, pending.report, pending, now_ms)

    def _try(self, contract: FakeContract, report: bytes, pending: PendingTransmission, now_ms: int) -> None:
        try:
            contract.transmit(self._index, report, pending.rs, pending.ss, pending.raw_vs, now_ms)
        except Reverted:
            return
        raise AssertionError("the contract took a forged or a stale report")

    def _twist(self, to: int, message: Message) -> Iterator[Message]:
        match message:
            case ObserveReq() | ReportReq() | Final() if Lie.SILENT_LEADER in self._lies and self._chance():
                return
            case Observe():
                yield from self._observations(message)
            case ReportReq() if Lie.FORGED_REQUESTS in self._lies and self._chance():
                yield self._forged_request(message)
            case ReportReq() if Lie.SPLIT_REQUESTS in self._lies:
                yield self._without_some(to, message)
            case Report() if Lie.BAD_SIGNATURES in self._lies and self._chance():
                signature = self._spoiled(message.report.signature)
                yield dataclasses.replace(message, report=dataclasses.replace(message.report, signature=signature))
            case Final() | FinalEcho():
                yield from self._endings(to, message)
            case _:
                yield message

    def _observations(self, message: Observe) -> Iterator[Message]:
        value = message.signed.value
        if Lie.EXTREME_VALUES in self._lies:
            value = self._random.choice(EXTREMES)
        signed = self._observation(message.epoch, message.round, value)
        if Lie.BAD_SIGNATURES in self._lies and self._chance():
            signed = SignedObservation(signed.value, self._spoiled(signed.signature))
        yield dataclasses.replace(message, signed=signed)
        if Lie.TWO_OBSERVATIONS in self._lies:
            other = self._observation(message.epoch, message.round, self._random.choice(EXTREMES))
            yield dataclasses.replace(message, signed=other)

    def _endings(self, to: int, message: Final | FinalEcho) -> Iterator[Message]:
        if Lie.FORGED_FINAL in self._lies:
            yield dataclasses.replace(message, report=self._forged(message.epoch, message.round))
        if Lie.SPLIT_ECHOES not in self._lies or to % 2:
            yield self._another(to, message) if Lie.TWO_FINALS in self._lies else message

    def _without_some(self, to: int, message: ReportReq) -> ReportReq:
        # Another request for everyone: as long as it has enough observations, each is one that could be signed.
        spare = len(message.observations) - 2 * self._committee.public.f - 1
        skipped = to % (spare + 1)
        return dataclasses.replace(message, observations=message.observations[skipped:])

    def _forged_request(self, message: ReportReq) -> ReportReq:
        forged = list(message.observations)
        match self._random.randrange(3):
            case 0:
                # Values that nobody observed, under the signatures of others.
                forged = [
                    dataclasses.replace(o, signed=SignedObservation(MAX_VALUE, o.signed.signature)) for o in forged
                ]
            case 1:
                forged = forged[: 2 * self._committee.public.f]
            case 2:
                forged[-1] = forged[0]
        return dataclasses.replace(message, observations=tuple(forged))

    def _another(self, to: int, message: Final | FinalEcho) -> Message:
        # With the signatures of all faulty ones, one honest signature makes any report it is under a valid one.
        reports = sorted(self._heard.get((message.epoch, message.round), {}).items(), key=lambda item: len(item[0]))
        if not reports:
            return message
        observations, honest = reports[to % len(reports)]
        signatures = (honest, *self._signed_by_allies(message.epoch, message.round, observations))
        return dataclasses.replace(message, report=AttestedReportMany(observations, signatures))

    def _forged(self, epoch: int, round_number: int) -> AttestedReportMany:
        value = self._random.choice(EXTREMES)
        observations = tuple(AttributedObservation(o, value) for o in range(2 * self._committee.public.f + 1))
        signatures = self._signed_by_allies(epoch, round_number, observations)
        # All of the faulty ones together are one short; a signature counted twice must not help.
        missing = self._committee.public.f + 1 - len(signatures)
        return AttestedReportMany(observations, (*signatures, *[self._random.choice(signatures)] * missing))

    def _signed_by_allies(
        self, epoch: int, round_number: int, observations: tuple[AttributedObservation, ...]
    ) -> list[bytes]:
        report = encode_report(context_tag(self._committee.public.config_digest, epoch, round_number), observations)
        return [sign_report(self._committee.keys[ally].signing, report) for ally in self._allies]

    def _observation(self, epoch: int, round_number: int, value: int) -> SignedObservation:
        key = Ed25519PrivateKey.from_private_bytes(self._committee.keys[self._index].offchain)
        tag = context_tag(self._committee.public.config_digest, epoch, round_number)
        return SignedObservation(value, sign_observation(key, tag, value))

    def _spoiled(self, signature: bytes) -> bytes:
        place = self._random.randrange(len(signature))
        return signature[:place] + bytes([signature[place] ^ 1]) + signature[place + 1 :]

    def _chance(self) -> bool:
        return self._random.random() < self._likelihood
