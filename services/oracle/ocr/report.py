"""The report as the contract reads it: ABI encoding, arguments of `transmit`, the median."""

from collections.abc import Sequence
from dataclasses import dataclass

from chainlink.ocr.config_rules import MAX_ORACLES
from services.oracle.ocr.errors import ProtocolError

VALUE_LENGTH = 24
MIN_VALUE, MAX_VALUE = -(1 << 191), (1 << 191) - 1
_WORD = 32
_ARRAY_OFFSET = 3 * _WORD


@dataclass(frozen=True, slots=True)
class AttributedObservation:
    """Hold the index of an observer and the int192 it observed."""

    observer: int
    value: int


def in_range(value: int) -> bool:
    """Tell whether a value fits the contract's int192."""
    return MIN_VALUE <= value <= MAX_VALUE


def encode_value(value: int) -> bytes:
    """Encode an int192 as 24 bytes, big-endian two's complement; raises OverflowError outside of its range."""
    return value.to_bytes(VALUE_LENGTH, "big", signed=True)


def median(observations: Sequence[AttributedObservation]) -> int:
    """Return the element k/2 of k sorted observations: for an even count the upper of the two in the middle."""
    return observations[len(observations) // 2].value


def encode_report(tag: bytes, observations: Sequence[AttributedObservation]) -> bytes:
    """Encode (bytes32 tag, bytes32 observers, int192[] observations) in canonical ABI: 128 + 32·k bytes."""
    observers = bytes(o.observer for o in observations)
    head = tag + observers.ljust(_WORD, b"\0") + _word(_ARRAY_OFFSET) + _word(len(observations))
    return head + b"".join(o.value.to_bytes(_WORD, "big", signed=True) for o in observations)


def decode_report(report: bytes) -> tuple[bytes, tuple[AttributedObservation, ...]]:
    """
    Decode a canonical report; return its context tag and observations.

    Raises:
        ProtocolError: when the bytes are not exactly what `encode_report` makes of some observations.
    """
    count = (len(report) - 4 * _WORD) // _WORD
    if not 0 <= count <= MAX_ORACLES:
        raise ProtocolError("report", f"{len(report)} bytes")
    tag, observers = report[:_WORD], report[_WORD : _WORD + count]
    words = (report[i : i + _WORD] for i in range(4 * _WORD, 4 * _WORD + count * _WORD, _WORD))
    values = [int.from_bytes(word, "big", signed=True) for word in words]
    observations = tuple(AttributedObservation(o, v) for o, v in zip(observers, values, strict=True))
    if not all(map(in_range, values)) or encode_report(tag, observations) != report:
        raise ProtocolError("report", "not canonically encoded")
    return tag, observations


def transmit_arguments(signatures: Sequence[bytes]) -> tuple[tuple[bytes, ...], tuple[bytes, ...], bytes]:
    """Split 65-byte signatures into rs, ss and rawVs (32 bytes, byte j is the recovery id 0/1 of signature j)."""
    rs = tuple(signature[:32] for signature in signatures)
    ss = tuple(signature[32:64] for signature in signatures)
    return rs, ss, bytes(signature[64] for signature in signatures).ljust(_WORD, b"\0")


def _word(value: int) -> bytes:
    return value.to_bytes(_WORD, "big")
