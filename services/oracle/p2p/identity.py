"""Who a peer is: an ed25519 key, and the base58 text that stands for its public half."""

from functools import lru_cache

import base58
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.oracle.p2p.errors import MalformedInput

KEY_LENGTH = 32
_PREFIX = bytes.fromhex("002408011220")
_TEXT_PREFIX = "p2p_"


@lru_cache(maxsize=1024)
def encode_peer_id(public_key: bytes) -> str:
    """Return the text "12D3KooW…" of a 32-byte public key."""
    return base58.b58encode(_PREFIX + public_key).decode()


@lru_cache(maxsize=1024)
def decode_peer_id(text: str) -> bytes:
    """
    Return the 32-byte public key of a peer id, with or without the prefix "p2p_".

    Raises:
        MalformedInput: when the text is no peer id of an ed25519 key.
    """
    try:
        raw = base58.b58decode(text.removeprefix(_TEXT_PREFIX))
    except ValueError as error:
        raise MalformedInput("peer id", text, "base58 text like 12D3KooW…") from error
    if len(raw) != len(_PREFIX) + KEY_LENGTH or not raw.startswith(_PREFIX):
        raise MalformedInput("peer id", text, "the id of an ed25519 key, like 12D3KooW…")
    return raw[len(_PREFIX) :]


class PeerKey:
    """Hold a node's network key."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self.private = key
        self.public_key = key.public_key().public_bytes_raw()
        self.peer_id = encode_peer_id(self.public_key)

    def __repr__(self) -> str:
        return f"PeerKey({self.peer_id})"

    @classmethod
    def from_bytes(cls, raw: bytes) -> "PeerKey":
        """
        Make a key of a 32-byte seed, or of the 64 bytes of seed and public key that Chainlink exports.

        Raises:
            MalformedInput: on another length, or when the public half does not belong to the seed.
        """
        if len(raw) not in (KEY_LENGTH, 2 * KEY_LENGTH):
            raise MalformedInput("peer key", f"{len(raw)} bytes", "32 bytes of seed, or 64 of seed and public key")
        key = cls(Ed25519PrivateKey.from_private_bytes(raw[:KEY_LENGTH]))
        if raw[KEY_LENGTH:] not in (b"", key.public_key):
            raise MalformedInput("peer key", "a public half of another key", "the public key of the seed")
        return key

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte ed25519 signature."""
        return self.private.sign(message)
