"""The key that is a node's identity on the network."""

import secrets
from dataclasses import dataclass, field
from typing import Any, Self

import base58
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.oracle.keys.envelope import STANDARD_SCRYPT_N, KeyUnreadable, decrypt, encrypt

_PREFIX = "p2pkey"
# libp2p's protobuf: key type 1 is ed25519, then the length of the key.
_PRIVATE_HEADER = bytes.fromhex("08011240")
_PUBLIC_HEADER = bytes.fromhex("002408011220")


def peer_id(public_key: bytes) -> str:
    """Return the bare base58 peer id of a 32-byte ed25519 public key."""
    return base58.b58encode(_PUBLIC_HEADER + public_key).decode()


@dataclass(frozen=True, slots=True)
class P2pKey:
    """Hold an ed25519 seed of 32 bytes."""

    seed: bytes = field(repr=False)

    @classmethod
    def generate(cls) -> Self:
        """Return a new random key."""
        return cls(secrets.token_bytes(32))

    @classmethod
    def from_plaintext(cls, plaintext: bytes) -> Self:
        """Take the key from the decrypted bytes of an export; KeyUnreadable if they are none."""
        if len(plaintext) != 68 or not plaintext.startswith(_PRIVATE_HEADER):
            raise KeyUnreadable("failed to decrypt: the plaintext is no ed25519 key of libp2p")
        key = cls(plaintext[4:36])
        if key.public_key != plaintext[36:]:
            raise KeyUnreadable("failed to decrypt: public and private half do not belong together")
        return key

    @classmethod
    def from_export(cls, export: dict[str, Any], password: str) -> Self:
        """Decrypt an export; KeyUnreadable if it is none or the password is wrong."""
        return cls.from_plaintext(decrypt(export.get("crypto"), _PREFIX + password))

    @property
    def plaintext(self) -> bytes:
        """Return the bytes that an export encrypts."""
        return _PRIVATE_HEADER + self.seed + self.public_key

    @property
    def id(self) -> str:
        """Return the bare peer id."""
        return self.peer_id

    @property
    def public_key(self) -> bytes:
        """Return the 32-byte public key."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw()

    @property
    def peer_id(self) -> str:
        """Return the bare base58 peer id."""
        return peer_id(self.public_key)

    def export(self, password: str, *, scrypt_n: int = STANDARD_SCRYPT_N) -> dict[str, Any]:
        """Return the export object."""
        return {
            "keyType": "P2P",
            "publicKey": self.public_key.hex(),
            "peerID": f"p2p_{self.peer_id}",
            "crypto": encrypt(self.plaintext, _PREFIX + password, scrypt_n=scrypt_n),
        }
