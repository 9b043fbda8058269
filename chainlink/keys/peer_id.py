"""The libp2p peer id, which names a node among its peers: base58 text that stands for an ed25519 public key."""

from functools import lru_cache

import base58

from chainlink.errors import InvalidPeerId

KEY_LENGTH = 32
# What Chainlink writes before a peer id in key files and in its REST API, but not in locators and configurations.
TEXT_PREFIX = "p2p_"
# An identity multihash over libp2p's protobuf of a public key: field 1 = 1 (ed25519), field 2 = 32 bytes.
_HEADER = bytes.fromhex("002408011220")


@lru_cache(maxsize=1024)
def encode_peer_id(public_key: bytes) -> str:
    """Return the bare peer id (`12D3KooW…`) of a 32-byte ed25519 public key."""
    return base58.b58encode(_HEADER + public_key).decode()


@lru_cache(maxsize=1024)
def decode_peer_id(text: str) -> bytes:
    """
    Return the 32-byte public key of a peer id, with or without the prefix `p2p_`.

    Raises:
        InvalidPeerId: when the text is no peer id of an ed25519 key.
    """
    try:
        raw = base58.b58decode(text.removeprefix(TEXT_PREFIX))
    except ValueError as error:
        raise InvalidPeerId("peer id", text, "base58 text like 12D3KooW…") from error
    if len(raw) != len(_HEADER) + KEY_LENGTH or not raw.startswith(_HEADER):
        raise InvalidPeerId("peer id", text, "the id of an ed25519 key, like 12D3KooW…")
    return raw[len(_HEADER) :]
