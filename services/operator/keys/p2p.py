"""The key that is a node's identity among its peers: ed25519, with the libp2p peer id as its name."""

import secrets
from dataclasses import dataclass, field
from typing import Any

import base58
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.operator.errors import KeyFormatError
from services.operator.keys import keystore

_PREFIX = "p2pkey"  # of the password, so that no kind of key decrypts as another
# libp2p's protobuf of a private key: field 1 = 1 (ed25519), field 2 = 64 bytes.
_PRIVATE_HEADER = bytes.fromhex("08011240")
# An identity multihash over libp2p's protobuf of a public key: field 1 = 1 (ed25519), field 2 = 32 bytes.
_PEER_ID_HEADER = bytes.fromhex("002408011220")
PEER_ID_PREFIX = "p2p_"


def peer_id(public_key: bytes) -> str:
    """Return the bare base58 peer id (`12D3KooW…`) of a 32-byte ed25519 public key."""
    return base58.b58encode(_PEER_ID_HEADER + public_key).decode()


@dataclass(frozen=True, slots=True)
class P2pKey:
    """Hold one ed25519 seed of 32 bytes."""

    seed: bytes = field(repr=False)

    @classmethod
    def generate(cls) -> "P2pKey":
        """Make a new key."""
        return cls(secrets.token_bytes(32))

    @property
    def public_key(self) -> bytes:
        """Return the 32-byte public key."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw()

    @property
    def peer_id(self) -> str:
        """Return the bare base58 peer id."""
        return peer_id(self.public_key)

    def export(self, password: str, scrypt_n: int = keystore.STANDARD_SCRYPT_N) -> dict[str, Any]:
        """Return the encrypted key as the JSON object that a Chainlink node imports."""
        plaintext = _PRIVATE_HEADER + self.seed + self.public_key
        return {
            "keyType": "P2P",
            "publicKey": self.public_key.hex(),
            "peerID": PEER_ID_PREFIX + self.peer_id,
            "crypto": keystore.encrypt(plaintext, _PREFIX + password, scrypt_n),
        }

    @classmethod
    def read(cls, text: bytes | str, password: str) -> "P2pKey":
        """
        Decrypt an export.

        Raises:
            KeyFormatError: when it is no such export, the password is wrong, or its public fields are another key's.
        """
        content = keystore.parse(text, "P2P")
        plaintext = keystore.decrypt(content.get("crypto"), _PREFIX + password)
        if len(plaintext) != len(_PRIVATE_HEADER) + 64 or not plaintext.startswith(_PRIVATE_HEADER):
            raise KeyFormatError("the plaintext is not a libp2p ed25519 private key")
        key = cls(plaintext[4:36])
        if plaintext[36:] != key.public_key:
            raise KeyFormatError("the plaintext's public half does not belong to its seed")
        for name, expected in (("publicKey", key.public_key.hex()), ("peerID", PEER_ID_PREFIX + key.peer_id)):
            if content.get(name) != expected:
                raise KeyFormatError(f"{name}: found {content.get(name)!r}, but the key's is {expected!r}")
        return key
