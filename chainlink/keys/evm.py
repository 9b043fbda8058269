"""The key that sends a node's transactions: secp256k1, in an Ethereum version 3 keystore file."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from chainlink.errors import KeyUnreadable
from chainlink.keys import envelope, export, secp256k1


@dataclass(frozen=True, slots=True)
class EvmKey:
    """Hold one private key of 32 bytes."""

    private_key: bytes = field(repr=False)

    @classmethod
    def generate(cls) -> Self:
        """Make a new key."""
        return cls(secp256k1.random_private_key())

    @classmethod
    def from_plaintext(cls, plaintext: bytes) -> Self:
        """Take the key from the decrypted bytes of an export; KeyUnreadable if they are none."""
        if not secp256k1.is_private_key(plaintext):
            raise KeyUnreadable(f"the plaintext of {len(plaintext)} bytes is no secp256k1 private key")
        return cls(plaintext)

    @classmethod
    def from_export(cls, document: Mapping[str, Any], password: str) -> Self:
        """
        Decrypt an export.

        Raises:
            KeyUnreadable: when it is none, the password is wrong, or its address is another key's.
        """
        if document.get("version") != 3:
            raise KeyUnreadable(f"version: found {document.get('version')!r}, allowed: 3")
        key = cls.from_plaintext(envelope.decrypt(document.get("crypto"), password))
        said = dict(document)
        if isinstance(address := said.get("address"), str):
            said["address"] = _bare(address)
        export.check(said, {"keyType": (), "address": (_bare(key.address),)})
        return key

    @classmethod
    def read(cls, text: bytes | str, password: str) -> Self:
        """Decrypt the text of an export; raises as `from_export`."""
        return cls.from_export(export.parse(text), password)

    @property
    def plaintext(self) -> bytes:
        """Return the bytes that an export encrypts."""
        return self.private_key

    @property
    def id(self) -> str:
        """Return what the key is known by: its address."""
        return self.address

    @property
    def address(self) -> str:
        """Return the EIP-55 address."""
        return secp256k1.address_of(self.private_key)

    def export(self, password: str, scrypt_n: int = envelope.STANDARD_SCRYPT_N) -> dict[str, Any]:
        """Return the encrypted key as the JSON object that Chainlink and Ethereum tools import."""
        return {
            "address": _bare(self.address),
            "crypto": envelope.encrypt(self.plaintext, password, scrypt_n),
            "id": str(uuid.uuid4()),
            "version": 3,
        }


def _bare(address: str) -> str:
    return address.lower().removeprefix("0x")
