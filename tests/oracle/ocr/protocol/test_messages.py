"""The bytes of messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedmesh.ocr.v1 import messages_pb2 as pb
from services.oracle.ocr.errors import ProtocolError
from services.oracle.ocr.protocol.messages import (
    MAX_MESSAGE_LENGTH,
    AttestedReportMany,
    AttestedReportOne,
    AttributedSignedObservation,
    Final,
    FinalEcho,
    Message,
    NewEpoch,
    Observe,
    ObserveReq,
    Report,
    ReportReq,
    SignedObservation,
    decode_message,
    encode_message,
)
from services.oracle.ocr.report import MAX_VALUE, MIN_VALUE, AttributedObservation

epochs = st.integers(0, 2**32 - 1)
rounds = st.integers(0, 255)
values = st.integers(MIN_VALUE, MAX_VALUE)
observers = st.integers(0, 30)
report_signatures = st.binary(min_size=65, max_size=65)
signed = st.builds(SignedObservation, values, st.binary(min_size=64, max_size=64))
observations = st.lists(st.builds(AttributedObservation, observers, values), max_size=31).map(tuple)
attributed = st.lists(st.builds(AttributedSignedObservation, observers, signed), max_size=31).map(tuple)
ones = st.builds(AttestedReportOne, observations, report_signatures)
manies = st.builds(AttestedReportMany, observations, st.lists(report_signatures, max_size=31).map(tuple))
messages = st.one_of(
    st.builds(NewEpoch, epochs),
    st.builds(ObserveReq, epochs, rounds),
    st.builds(Observe, epochs, rounds, signed),
    st.builds(ReportReq, epochs, rounds, attributed),
    st.builds(Report, epochs, rounds, ones),
    st.builds(Final, epochs, rounds, manies),
    st.builds(FinalEcho, epochs, rounds, manies),
)


@given(messages)
def test_round_trip(message: Message) -> None:
    """Every message survives its bytes, which fit into the limit even for 31 oracles."""
    payload = encode_message(message)

    assert len(payload) <= MAX_MESSAGE_LENGTH
    assert message == decode_message(payload)


@given(st.binary(max_size=300) | messages.map(encode_message).map(lambda raw: raw[: len(raw) // 2]))
def test_noise(payload: bytes) -> None:
    """Bytes that are no message raise ProtocolError and nothing else."""
    try:
        decoded = decode_message(payload)
    except ProtocolError:
        return

    assert decoded == decode_message(encode_message(decoded))


def test_known_bytes() -> None:
    """Round stands before epoch in ObserveReq only, and zeros are left out."""
    assert bytes.fromhex("1a0408031007") == encode_message(ObserveReq(epoch=7, round=3))
    assert bytes.fromhex("12020807") == encode_message(NewEpoch(7))
    assert bytes.fromhex("1200") == encode_message(NewEpoch(0))


def test_numbers_are_truncated() -> None:
    """Epochs and rounds beyond their width lose their upper bits."""
    wide = pb.Envelope(observe_req=pb.ObserveReq(epoch=2**40 + 7, round=256 + 3))

    assert ObserveReq(7, 3) == decode_message(wide.SerializeToString())


def test_too_long() -> None:
    """A message above the limit is refused before it is parsed."""
    with pytest.raises(ProtocolError, match="length"):
        decode_message(bytes(MAX_MESSAGE_LENGTH + 1))


@pytest.mark.parametrize(
    ("envelope", "field"),
    [
        (pb.Envelope(), "body"),
        (pb.Envelope(observe=pb.Observe(epoch=1)), "signature"),
        (
            pb.Envelope(
                observe=pb.Observe(
                    signed_observation=pb.SignedObservation(
                        observation=pb.Observation(value=bytes(23)), signature=bytes(64)
                    )
                )
            ),
            "value",
        ),
        (pb.Envelope(final=pb.Final(report=pb.AttestedReportMany(signatures=[bytes(64)]))), "signature"),
        (pb.Envelope(final=pb.Final(report=pb.AttestedReportMany(signatures=[bytes(65)] * 32))), "signatures"),
        (
            pb.Envelope(
                report=pb.Report(
                    report=pb.AttestedReportOne(
                        attributed_observations=[
                            pb.AttributedObservation(observation=pb.Observation(value=bytes(24)), observer=31)
                        ],
                        signature=bytes(65),
                    )
                )
            ),
            "observer",
        ),
    ],
)
def test_wrong_content(envelope: pb.Envelope, field: str) -> None:
    """Well-formed protobuf with impossible content is refused, and the error names the field."""
    with pytest.raises(ProtocolError) as caught:
        decode_message(envelope.SerializeToString())

    assert field == caught.value.field
