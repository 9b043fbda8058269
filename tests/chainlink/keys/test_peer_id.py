"""Peer ids."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainlink.errors import InvalidPeerId
from chainlink.keys.peer_id import decode_peer_id, encode_peer_id


@given(st.binary(min_size=32, max_size=32))
def test_id_round_trip(public_key: bytes) -> None:
    """Every key has an id that leads back to it, with and without prefix, and looks as all do."""
    text = encode_peer_id(public_key)

    assert [public_key] * 2 == [decode_peer_id(text), decode_peer_id(f"p2p_{text}")]
    assert text.startswith("12D3KooW")


@pytest.mark.parametrize(
    "text", ["", "p2p_", "12D3KooW", "0OIl", "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N", "ü"]
)
def test_malformed_ids(text: str) -> None:
    """What is no ed25519 peer id is refused."""
    with pytest.raises(InvalidPeerId, match="peer id"):
        decode_peer_id(text)


def test_peer_id_of_a_known_key() -> None:
    """A public key has the peer id that a node of the network shows for it."""
    public_key = bytes.fromhex("f3c458c9064bdde449a3904ba8d3f8f5ebf79623077430325252c3368f920199")

    assert encode_peer_id(public_key) == "12D3KooWSDvtYVF3FoyGeMrmDxYeJZMzbEyMHRwmf5GUSqgJhST2"
