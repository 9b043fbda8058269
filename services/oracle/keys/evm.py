"""The key that pays for and signs transactions."""

import secrets
import uuid
from dataclasses import dataclass, field
from typing import Any, Self

from eth_keys.datatypes import PrivateKey
from eth_utils.exceptions import ValidationError

from services.oracle.keys.envelope import STANDARD_SCRYPT_N, KeyUnreadable, decrypt, encrypt


@dataclass(frozen=True, slots=True)
class EvmKey:
    """Hold a secp256k1 private key of 32 bytes."""

    private_key: bytes = field(repr=False)

    @classmethod
    def generate(cls) -> Self:
        """Return a new random key."""
        return cls.from_plaintext(secrets.token_bytes(32))

    @classmethod
    def from_plaintext(cls, plaintext: bytes) -> Self:
        """Take the key from the decrypted bytes of an export; KeyUnreadable if they are none."""
        try:
            PrivateKey(plaintext).public_key.to_address()
        except (ValueError, ValidationError) as error:
            raise KeyUnreadable("failed to decrypt: the plaintext is no secp256k1 key") from error
        return cls(plaintext)

    @classmethod
    def from_export(cls, export: dict[str, Any], password: str) -> Self:
        """Decrypt a version 3 keystore; KeyUnreadable if it is none or the password is wrong."""
        if export.get("version") != 3:
            raise KeyUnreadable(f"failed to decrypt: version is {export.get('version')!r}, not 3")
        return cls.from_plaintext(decrypt(export.get("crypto"), password))

    @property
    def plaintext(self) -> bytes:
        """Return the bytes that an export encrypts."""
        return self.private_key

    @property
    def id(self) -> str:
        """Return the checksummed address."""
        return self.address

    @property
    def address(self) -> str:
        """Return the checksummed address."""
        return PrivateKey(self.private_key).public_key.to_checksum_address()

    def export(self, password: str, *, scrypt_n: int = STANDARD_SCRYPT_N) -> dict[str, Any]:
        """Return the version 3 keystore."""
        return {
            "address": self.address.removeprefix("0x").lower(),
            "crypto": encrypt(self.plaintext, password, scrypt_n=scrypt_n),
            "id": str(uuid.uuid4()),
            "version": 3,
        }
