"""Who a peer is: an ed25519 key."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chainlink.keys.peer_id import KEY_LENGTH, encode_peer_id
from services.oracle.p2p.errors import MalformedInput


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
