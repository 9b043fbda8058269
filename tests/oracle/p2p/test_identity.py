"""Peer keys and ids from humans and files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.oracle.p2p.errors import KnockRefused, MalformedInput
from services.oracle.p2p.identity import PeerKey, decode_peer_id, encode_peer_id
from services.oracle.p2p.knock import make_knock, read_knock

KEY, OTHER = PeerKey.from_bytes(bytes(range(32))), PeerKey.from_bytes(bytes(32))


@given(st.binary(min_size=32, max_size=32))
def test_id_round_trip(public_key: bytes) -> None:
    """Every key has an id that leads back to it and looks as all do."""
    assert public_key == decode_peer_id(encode_peer_id(public_key))
    assert encode_peer_id(public_key).startswith("12D3KooW")


@pytest.mark.parametrize(
    "text", ["", "p2p_", "12D3KooW", "0OIl", "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N", "ü"]
)
def test_malformed_ids(text: str) -> None:
    """What is no ed25519 peer id is refused."""
    with pytest.raises(MalformedInput, match="peer id"):
        decode_peer_id(text)


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
