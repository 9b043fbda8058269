"""The key by which a node is known to those who send it jobs: ed25519, named by its public half."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chainlink.errors import KeyUnreadable
from chainlink.keys import envelope, export

_PREFIX = "csakey"  # of the password, so that no kind of key decrypts as another
_SEED_BYTES = 32


@dataclass(frozen=True, slots=True)
class CsaKey:
    """Hold one ed25519 seed of 32 bytes."""

    seed: bytes = field(repr=False)

    @classmethod
    def generate(cls) -> Self:
        """Make a new key."""
        return cls(secrets.token_bytes(_SEED_BYTES))

    @classmethod
    def from_plaintext(cls, plaintext: bytes) -> Self:
        """Take the key from the decrypted bytes of an export; KeyUnreadable if they are none."""
        key = cls(plaintext[:_SEED_BYTES])
        if len(plaintext) != 2 * _SEED_BYTES or plaintext[_SEED_BYTES:] != key.public_key:
            raise KeyUnreadable(f"the plaintext of {len(plaintext)} bytes is no ed25519 private key")
        return key

    @classmethod
    def from_export(cls, document: Mapping[str, Any], password: str) -> Self:
        """
        Decrypt an export.

        Raises:
            KeyUnreadable: when it is none, the password is wrong, or its public fields are another key's.
        """
        key = cls.from_plaintext(envelope.decrypt(document.get("crypto"), _PREFIX + password))
        export.check(document, {"keyType": ("CSA",), "publicKey": (key.id,)})
        return key

    @property
    def plaintext(self) -> bytes:
        """Return the bytes that an export encrypts."""
        return self.seed + self.public_key

    @property
    def id(self) -> str:
        """Return what the key is known by: its public key in hex."""
        return self.public_key.hex()

    @property
    def public_key(self) -> bytes:
        """Return the 32-byte public key."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw()

    def export(self, password: str, scrypt_n: int = envelope.STANDARD_SCRYPT_N) -> dict[str, Any]:
        """Return the encrypted key as the JSON object that a Chainlink node imports."""
        return {
            "keyType": "CSA",
            "publicKey": self.id,
            "crypto": envelope.encrypt(self.plaintext, _PREFIX + password, scrypt_n),
        }
