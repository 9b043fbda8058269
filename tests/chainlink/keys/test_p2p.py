"""The key that is a node's identity."""

import json

import pytest

from chainlink.errors import KeyUnreadable
from chainlink.keys.p2p import P2pKey


def test_a_bare_peer_id_is_taken() -> None:
    """A file may name the peer id without its prefix."""
    key = P2pKey.generate()
    content = key.export("password", 2) | {"peerID": key.peer_id}

    assert key == P2pKey.read(json.dumps(content), "password")


def test_halves_of_two_keys() -> None:
    """A public half that is not the seed's is refused, and so is another kind of key."""
    one, other = P2pKey.generate(), P2pKey.generate()
    with pytest.raises(KeyUnreadable, match="public half"):
        P2pKey.from_plaintext(one.plaintext[:36] + other.public_key)
    with pytest.raises(KeyUnreadable, match="ed25519"):
        P2pKey.from_plaintext(b"\x08\x02" + one.plaintext[2:])
