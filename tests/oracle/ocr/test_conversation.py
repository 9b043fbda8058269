"""What oracles of the other implementation really said to one of ours is understood, and we would say it alike."""

import json
from pathlib import Path
from typing import Any

import pytest

from services.oracle.ocr.protocol.attestation import Attestation
from services.oracle.ocr.protocol.messages import (
    Final,
    FinalEcho,
    NewEpoch,
    Observe,
    ObserveReq,
    Report,
    ReportReq,
    decode_message,
    encode_message,
)
from services.oracle.ocr.report import AttributedObservation
from services.oracle.p2p.address import Address
from services.oracle.p2p.discovery.address_book import AddressBook, Group
from services.oracle.p2p.discovery.announcement import Announcement, decode_discovery, encode_reconcile
from tests.oracle.ocr.committee import make_committee

SPOKEN: dict[str, Any] = json.loads((Path(__file__).parents[2] / "vectors/ocr/conversation.json").read_text())
COMMITTEE = make_committee(secret=bytes.fromhex(SPOKEN["shared_secret"]))
FOLLOWED, LED = SPOKEN["followed"], SPOKEN["led"]


def attestation(part: dict[str, Any]) -> Attestation:
    """Return the checks of the round that a part is of."""
    return Attestation(COMMITTEE.shared[3], part["epoch"], part["round"])


def test_leaders() -> None:
    """The recorded rounds had the leaders that the secret chooses."""
    assert 1 == COMMITTEE.shared[3].leader(FOLLOWED["epoch"])
    assert 3 == COMMITTEE.shared[3].leader(LED["epoch"])


@pytest.mark.parametrize("name", ["ObserveReq", "ReportReq", "Final", "FinalEcho"])
def test_same_bytes_from_a_leader(name: str) -> None:
    """Their messages, encoded by us, are the same bytes."""
    raw = bytes.fromhex(FOLLOWED[name])

    assert name == type(decode_message(raw)).__name__
    assert raw == encode_message(decode_message(raw))


@pytest.mark.parametrize("name", ["Observe", "Report"])
def test_same_bytes_from_a_follower(name: str) -> None:
    """The same holds for what followers sent to us as the leader."""
    raw = bytes.fromhex(LED[name])

    assert name == type(decode_message(raw)).__name__
    assert raw == encode_message(decode_message(raw))


def test_new_epoch() -> None:
    """A wish for another epoch is read and written alike."""
    raw = bytes.fromhex(SPOKEN["new_epoch"]["message"])

    assert NewEpoch(SPOKEN["new_epoch"]["epoch"]) == decode_message(raw)
    assert raw == encode_message(decode_message(raw))


def test_a_round_led_by_them() -> None:
    """All signatures of the round hold, and request, report and echo are about the same observations."""
    request, final, echo = (decode_message(bytes.fromhex(FOLLOWED[k])) for k in ("ReportReq", "Final", "FinalEcho"))
    start = decode_message(bytes.fromhex(FOLLOWED["ObserveReq"]))
    assert isinstance(request, ReportReq)
    assert isinstance(final, Final)
    assert isinstance(echo, FinalEcho)
    checks = attestation(FOLLOWED)

    assert ObserveReq(FOLLOWED["epoch"], FOLLOWED["round"]) == start
    assert "" == checks.flaw_of(request.observations)
    assert final.report == echo.report
    assert checks.is_attested(final.report)
    assert final.report.observations == tuple(
        AttributedObservation(o.observer, o.signed.value) for o in request.observations
    )
    assert not Attestation(COMMITTEE.shared[3], FOLLOWED["epoch"], FOLLOWED["round"] + 1).is_attested(final.report)


def test_a_round_led_by_us() -> None:
    """Observation and report signature of a follower hold, for exactly one oracle."""
    observe, report = (decode_message(bytes.fromhex(LED[k])) for k in ("Observe", "Report"))
    assert isinstance(observe, Observe)
    assert isinstance(report, Report)
    checks = attestation(LED)

    assert 1 == sum(checks.is_observation_of(i, observe.signed) for i in range(4))
    assert 1 == sum(checks.is_report_of(i, report.report.observations, report.report.signature) for i in range(4))


def test_announcements() -> None:
    """Their announcements are verified and written alike, and addresses are learned from them."""
    raw = bytes.fromhex(SPOKEN["reconcile"])
    announcements = [Announcement.from_proto(message) for message in decode_discovery(raw)]
    own = COMMITTEE.peers[3]
    book = AddressBook(own, [Address.parse("127.0.0.1:1")])
    book.add_group(bytes(16), Group(frozenset(peer.public_key for peer in COMMITTEE.peers), {}))
    learned = book.learn(raw)

    assert raw == encode_reconcile(announcements)
    assert () == learned.refused
    assert learned.accepted
    assert all(list(a.addresses) == book.addresses(a.public_key) for a in learned.accepted)
