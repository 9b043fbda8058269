"""The messages of the protocol, and their bytes on the wire."""

from collections.abc import Iterable
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from chainlink.ocr.config_rules import MAX_ORACLES
from feedmesh.ocr.v1 import messages_pb2 as pb
from services.oracle.ocr.errors import ProtocolError
from services.oracle.ocr.report import VALUE_LENGTH, AttributedObservation, encode_value

MAX_MESSAGE_LENGTH = 10_000
_OBSERVATION_SIGNATURE_LENGTH = 64
_REPORT_SIGNATURE_LENGTH = 65


@dataclass(frozen=True, slots=True)
class SignedObservation:
    """Hold an int192 and its observer's ed25519 signature (64 bytes)."""

    value: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class AttributedSignedObservation:
    """Hold a signed observation with its observer's index."""

    observer: int
    signed: SignedObservation


@dataclass(frozen=True, slots=True)
class AttestedReportOne:
    """Hold a report's observations with one 65-byte signature."""

    observations: tuple[AttributedObservation, ...]
    signature: bytes


@dataclass(frozen=True, slots=True)
class AttestedReportMany:
    """Hold a report's observations with several 65-byte signatures."""

    observations: tuple[AttributedObservation, ...]
    signatures: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class NewEpoch:
    """Wish to move to an epoch."""

    epoch: int


@dataclass(frozen=True, slots=True)
class ObserveReq:
    """Start a round."""

    epoch: int
    round: int


@dataclass(frozen=True, slots=True)
class Observe:
    """Answer an ObserveReq with an observation."""

    epoch: int
    round: int
    signed: SignedObservation


@dataclass(frozen=True, slots=True)
class ReportReq:
    """Ask for signatures over the report of these observations."""

    epoch: int
    round: int
    observations: tuple[AttributedSignedObservation, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """Answer a ReportReq with a signature."""

    epoch: int
    round: int
    report: AttestedReportOne


@dataclass(frozen=True, slots=True)
class Final:
    """Show the report with enough signatures."""

    epoch: int
    round: int
    report: AttestedReportMany


@dataclass(frozen=True, slots=True)
class FinalEcho:
    """Repeat a Final, so that every oracle sees it even if the leader does not want so."""

    epoch: int
    round: int
    report: AttestedReportMany


RoundMessage = ObserveReq | Observe | ReportReq | Report | Final | FinalEcho
Message = NewEpoch | RoundMessage


def encode_message(message: Message) -> bytes:
    """Encode a message as the payload of one network frame."""
    match message:
        case NewEpoch(epoch):
            envelope = pb.Envelope(new_epoch=pb.NewEpoch(epoch=epoch))
        case ObserveReq(epoch, round_number):
            envelope = pb.Envelope(observe_req=pb.ObserveReq(epoch=epoch, round=round_number))
        case Observe(epoch, round_number, signed):
            envelope = pb.Envelope(
                observe=pb.Observe(epoch=epoch, round=round_number, signed_observation=_signed_to_proto(signed))
            )
        case ReportReq(epoch, round_number, observations):
            attributed = [
                pb.AttributedSignedObservation(signed_observation=_signed_to_proto(o.signed), observer=o.observer)
                for o in observations
            ]
            envelope = pb.Envelope(
                report_req=pb.ReportReq(epoch=epoch, round=round_number, attributed_signed_observations=attributed)
            )
        case Report(epoch, round_number, report):
            one = pb.AttestedReportOne(
                attributed_observations=_observations_to_proto(report.observations), signature=report.signature
            )
            envelope = pb.Envelope(report=pb.Report(epoch=epoch, round=round_number, report=one))
        case Final():
            envelope = pb.Envelope(final=_final_to_proto(message))
        case FinalEcho():
            envelope = pb.Envelope(final_echo=pb.FinalEcho(final=_final_to_proto(message)))
    return envelope.SerializeToString(deterministic=True)


def decode_message(payload: bytes) -> Message:
    """
    Decode the payload of one network frame; epoch and round are truncated to 32 and 8 bits as all readers do.

    Raises:
        ProtocolError: when the bytes are no message; never any other exception.
    """
    if len(payload) > MAX_MESSAGE_LENGTH:
        raise ProtocolError("length", len(payload))
    envelope = pb.Envelope()
    try:
        envelope.ParseFromString(payload)
    except DecodeError as error:
        raise ProtocolError("protobuf", str(error)) from error
    match envelope.WhichOneof("body"):
        case "new_epoch":
            return NewEpoch(_epoch(envelope.new_epoch.epoch))
        case "observe_req":
            return ObserveReq(_epoch(envelope.observe_req.epoch), _round(envelope.observe_req.round))
        case "observe":
            observe = envelope.observe
            signed = _signed_from_proto(observe.signed_observation)
            return Observe(_epoch(observe.epoch), _round(observe.round), signed)
        case "report_req":
            req = envelope.report_req
            attributed = req.attributed_signed_observations
            _check_count("attributed_signed_observations", attributed)
            observations = tuple(
                AttributedSignedObservation(_observer(o.observer), _signed_from_proto(o.signed_observation))
                for o in attributed
            )
            return ReportReq(_epoch(req.epoch), _round(req.round), observations)
        case "report":
            one = AttestedReportOne(
                _observations_from_proto(envelope.report.report.attributed_observations),
                _sized("signature", envelope.report.report.signature, _REPORT_SIGNATURE_LENGTH),
            )
            return Report(_epoch(envelope.report.epoch), _round(envelope.report.round), one)
        case "final":
            return Final(*_final_from_proto(envelope.final))
        case "final_echo":
            return FinalEcho(*_final_from_proto(envelope.final_echo.final))
        case _:
            raise ProtocolError("body", "none of the known messages")


def _signed_to_proto(signed: SignedObservation) -> pb.SignedObservation:
    observation = pb.Observation(value=encode_value(signed.value))
    return pb.SignedObservation(observation=observation, signature=signed.signature)


def _observations_to_proto(observations: Iterable[AttributedObservation]) -> list[pb.AttributedObservation]:
    return [
        pb.AttributedObservation(observation=pb.Observation(value=encode_value(o.value)), observer=o.observer)
        for o in observations
    ]


def _final_to_proto(message: Final | FinalEcho) -> pb.Final:
    many = pb.AttestedReportMany(
        attributed_observations=_observations_to_proto(message.report.observations),
        signatures=message.report.signatures,
    )
    return pb.Final(epoch=message.epoch, round=message.round, report=many)


def _epoch(value: int) -> int:
    return value & 0xFFFFFFFF


def _round(value: int) -> int:
    return value & 0xFF


def _sized(name: str, value: bytes, length: int) -> bytes:
    if len(value) != length:
        raise ProtocolError(name, f"{len(value)} bytes instead of {length}")
    return value


def _observer(index: int) -> int:
    if index >= MAX_ORACLES:
        raise ProtocolError("observer", index)
    return index


def _check_count(name: str, values: Iterable[object]) -> None:
    count = sum(1 for _ in values)
    if count > MAX_ORACLES:
        raise ProtocolError(name, f"{count} entries, more than there can be oracles")


def _value(observation: pb.Observation) -> int:
    return int.from_bytes(_sized("value", observation.value, VALUE_LENGTH), "big", signed=True)


def _signed_from_proto(signed: pb.SignedObservation) -> SignedObservation:
    signature = _sized("signature", signed.signature, _OBSERVATION_SIGNATURE_LENGTH)
    return SignedObservation(_value(signed.observation), signature)


def _observations_from_proto(observations: Iterable[pb.AttributedObservation]) -> tuple[AttributedObservation, ...]:
    _check_count("attributed_observations", observations)
    return tuple(AttributedObservation(_observer(o.observer), _value(o.observation)) for o in observations)


def _final_from_proto(final: pb.Final) -> tuple[int, int, AttestedReportMany]:
    _check_count("signatures", final.report.signatures)
    signatures = tuple(_sized("signature", s, _REPORT_SIGNATURE_LENGTH) for s in final.report.signatures)
    many = AttestedReportMany(_observations_from_proto(final.report.attributed_observations), signatures)
    return _epoch(final.epoch), _round(final.round), many
