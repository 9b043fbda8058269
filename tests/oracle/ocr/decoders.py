"""Every decoder of what strangers send, with its own error and bytes that it takes."""

from collections.abc import Callable
from dataclasses import replace

from chainlink.errors import InvalidOcrConfig, InvalidPeerId
from chainlink.keys.peer_id import decode_peer_id
from chainlink.ocr.report_context import context_tag
from services.oracle.ocr.config import PublicConfig, SharedConfig
from services.oracle.ocr.errors import ProtocolError
from services.oracle.ocr.protocol.attestation import Attestation
from services.oracle.ocr.protocol.messages import (
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
from services.oracle.ocr.report import MAX_VALUE, AttributedObservation, decode_report, encode_report
from services.oracle.p2p.address import Address
from services.oracle.p2p.discovery.address_book import AddressBook, Group
from services.oracle.p2p.discovery.announcement import Announcement, encode_reconcile
from services.oracle.p2p.errors import AnnouncementRefused, FrameRefused, KnockRefused, MalformedInput
from services.oracle.p2p.transport.frames import Frame, FrameParser, FrameType
from services.oracle.p2p.transport.knock import make_knock, read_knock
from tests.oracle.ocr.committee import CHAIN_ID, make_committee

COMMITTEE = make_committee()
PEERS = COMMITTEE.peers
PLACE = Address.parse("127.0.0.1:6690")
OBSERVATIONS = tuple(AttributedObservation(i, MAX_VALUE - 3 + i) for i in range(3))
SIGNED = SignedObservation(-1, bytes(64))
MANY = AttestedReportMany(OBSERVATIONS, (bytes(65), b"\1" * 65))
MESSAGES: list[Message] = [
    NewEpoch(2**32 - 1),
    ObserveReq(7, 3),
    Observe(7, 3, SIGNED),
    ReportReq(7, 3, tuple(AttributedSignedObservation(i, SIGNED) for i in range(4))),
    Report(7, 3, AttestedReportOne(OBSERVATIONS, bytes(65))),
    Final(7, 3, MANY),
    FinalEcho(7, 3, MANY),
]
FRAMES = [Frame(FrameType.OPEN, bytes(32), b"ocr/x"), Frame(FrameType.DATA, bytes(32), b"hi")]
REPORT = encode_report(context_tag(bytes(16), 7, 3), OBSERVATIONS)


def _learn(raw: bytes) -> None:
    book = AddressBook(PEERS[0], [PLACE])
    book.add_group(bytes(16), Group(frozenset(peer.public_key for peer in PEERS), {}))
    book.learn(raw)


def _configure(raw: bytes) -> None:
    public = PublicConfig.from_contract(replace(COMMITTEE.contract_config, encoded=raw), CHAIN_ID)
    SharedConfig.join(public, COMMITTEE.keys[0], PEERS[0].peer_id, COMMITTEE.transmitters[0])


def _parse_frames(raw: bytes) -> None:
    parser = FrameParser(lambda stream: 100 if stream == bytes(32) else None)
    for cut in range(0, len(raw), 7):
        list(parser.feed(raw[cut : cut + 7]))


def _decode_report(raw: bytes) -> None:
    tag, observations = decode_report(raw)
    assert raw == encode_report(tag, observations)


def _attest(raw: bytes) -> None:
    message = decode_message(raw)
    attestation = Attestation(COMMITTEE.shared[0], 7, 3)
    match message:
        case Observe():
            attestation.is_observation_of(0, message.signed)
        case ReportReq():
            attestation.flaw_of(message.observations)
        case Report():
            attestation.is_report_of(0, message.report.observations, message.report.signature)
        case Final() | FinalEcho():
            attestation.is_attested(message.report)
    assert message == decode_message(encode_message(message))


DECODERS: dict[str, tuple[Callable[[bytes], object], type[Exception], list[bytes]]] = {
    "message": (_attest, ProtocolError, [encode_message(message) for message in MESSAGES]),
    "report": (_decode_report, ProtocolError, [REPORT]),
    "config": (_configure, InvalidOcrConfig, [COMMITTEE.contract_config.encoded]),
    "frames": (_parse_frames, FrameRefused, [b"".join(frame.encode() for frame in FRAMES)]),
    "knock": (
        lambda raw: read_knock(raw, PEERS[0].public_key),
        KnockRefused,
        [make_knock(PEERS[1], PEERS[0].public_key)],
    ),
    "announcements": (
        _learn,
        AnnouncementRefused,
        [encode_reconcile([Announcement.sign(peer, [PLACE], 2**64 - 1) for peer in PEERS])],
    ),
    "peer id": (
        lambda raw: decode_peer_id(raw.decode(errors="replace")),
        InvalidPeerId,
        [peer.peer_id.encode() for peer in PEERS],
    ),
    "address": (
        lambda raw: Address.parse(raw.decode(errors="replace")),
        MalformedInput,
        [b"127.0.0.1:6690", b"[::1]:80", b"localhost:1"],
    ),
}
