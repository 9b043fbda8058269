"""Peer keys from files."""

import pytest

from services.oracle.p2p.errors import KnockRefused, MalformedInput
from services.oracle.p2p.identity import PeerKey
from services.oracle.p2p.transport.knock import make_knock, read_knock

KEY, OTHER = PeerKey.from_bytes(bytes(range(32))), PeerKey.from_bytes(bytes(32))


def test_private_key_forms() -> None:
    """A seed and the 64 bytes of seed and public key are the same key; a wrong half or length is refused."""
    assert KEY.public_key == PeerKey.from_bytes(bytes(range(32)) + KEY.public_key).public_key
    for raw in (bytes(range(32)) + OTHER.public_key, bytes(33), b""):
        with pytest.raises(MalformedInput, match="peer key"):
            PeerKey.from_bytes(raw)


def test_representation_hides_the_key() -> None:
    """A key shows its peer id only."""
    assert f"PeerKey({KEY.peer_id})" == repr(KEY)


def test_knock_round_trip() -> None:
    """A knock names its dialer, at one door only."""
    knock = make_knock(KEY, OTHER.public_key)

    assert KEY.public_key == read_knock(knock, OTHER.public_key)
    for broken, door in (
        (knock, KEY.public_key),
        (knock[:-1], OTHER.public_key),
        (b"\1" + knock[1:], OTHER.public_key),
        (knock[:-1] + bytes([knock[-1] ^ 1]), OTHER.public_key),
        (make_knock(OTHER, OTHER.public_key), OTHER.public_key),
    ):
        with pytest.raises(KnockRefused):
            read_knock(broken, door)
