"""The report's bytes."""

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from chainlink.keys.secp256k1 import address_of
from chainlink.ocr.report_context import context_tag
from services.oracle.ocr import crypto
from services.oracle.ocr.errors import ProtocolError
from services.oracle.ocr.report import (
    MAX_VALUE,
    MIN_VALUE,
    AttributedObservation,
    decode_report,
    encode_report,
    median,
    transmit_arguments,
)

TAG = context_tag(bytes(range(16)), 7, 3)
values = st.integers(MIN_VALUE, MAX_VALUE)
observations = st.lists(st.builds(AttributedObservation, st.integers(0, 30), values), max_size=31).map(tuple)


@given(observations)
def test_round_trip_and_abi(made: tuple[AttributedObservation, ...]) -> None:
    """A report is what an ABI library makes of its three values, and reads back."""
    observers = bytes(o.observer for o in made).ljust(32, b"\0")
    expected = encode(("bytes32", "bytes32", "int192[]"), (TAG, observers, [o.value for o in made]))

    assert expected == encode_report(TAG, made)
    assert (TAG, made) == decode_report(expected)


@given(st.binary(max_size=400))
def test_noise(raw: bytes) -> None:
    """Bytes that are no report raise ProtocolError and nothing else."""
    with pytest.raises(ProtocolError):
        decode_report(raw)


def test_no_trailing_byte() -> None:
    """A report with a byte more or less is none."""
    report = encode_report(TAG, [AttributedObservation(1, 5)])
    for raw in (report + b"\0", report[:-1], report + bytes(32)):
        with pytest.raises(ProtocolError):
            decode_report(raw)


@pytest.mark.parametrize(("count", "expected"), [(1, 0), (2, 1), (3, 1), (4, 2), (31, 15)])
def test_median_is_the_upper_middle(count: int, expected: int) -> None:
    """Of k sorted observations the one at k/2 is the median."""
    assert expected == median([AttributedObservation(i, i) for i in range(count)])


def test_transmit_arguments() -> None:
    """Signatures are split into words, and recovery ids go to the front of one word."""
    signatures = [bytes([i]) * 32 + bytes([i + 100]) * 32 + bytes([i % 2]) for i in range(3)]
    rs, ss, raw_vs = transmit_arguments(signatures)

    assert tuple(bytes([i]) * 32 for i in range(3)) == rs
    assert tuple(bytes([i + 100]) * 32 for i in range(3)) == ss
    assert bytes([0, 1, 0]) + bytes(29) == raw_vs


@given(st.binary(min_size=65, max_size=65))
def test_any_signature_recovers_or_not(signature: bytes) -> None:
    """Recovering from arbitrary bytes gives an address or None, never an error."""
    signer = crypto.recover_signer(b"report", signature)

    assert signer is None or len(signer) == 42


@pytest.mark.parametrize("signature", [b"", bytes(64), bytes(65), b"\1" * 64 + b"\x1b", b"\xff" * 64 + b"\0"])
def test_impossible_signatures(signature: bytes) -> None:
    """Wrong lengths, zeros, v of 27 and numbers above the curve's order recover nobody."""
    assert crypto.recover_signer(b"report", signature) is None


def test_signatures_have_low_s() -> None:
    """Own signatures recover to the own address, with s in the lower half."""
    for index in range(20):
        key = bytes([index + 1]) * 32
        signature = crypto.sign_report(key, b"report %d" % index)

        assert address_of(key) == crypto.recover_signer(b"report %d" % index, signature)
        assert (
            int.from_bytes(signature[32:64], "big")
            <= 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141 // 2
        )
        assert signature[64] in (0, 1)
