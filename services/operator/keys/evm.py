"""The key that sends a node's transactions: secp256k1, in an Ethereum version 3 keystore file."""

import uuid
from dataclasses import dataclass, field
from typing import Any

from eth_keys.datatypes import PrivateKey

from services.operator.errors import KeyFormatError
from services.operator.keys import keystore
from services.operator.keys.secp256k1 import random_scalar


@dataclass(frozen=True, slots=True)
class EvmKey:
    """Hold one private key of 32 bytes."""

    private_key: bytes = field(repr=False)

    @classmethod
    def generate(cls) -> "EvmKey":
        """Make a new key."""
        return cls(random_scalar().to_bytes(32, "big"))

    @property
    def address(self) -> str:
        """Return the EIP-55 address."""
        return PrivateKey(self.private_key).public_key.to_checksum_address()

    def export(self, password: str, scrypt_n: int = keystore.STANDARD_SCRYPT_N) -> dict[str, Any]:
        """Return the encrypted key as the JSON object that Chainlink and Ethereum tools import."""
        return {
            "address": self.address.lower().removeprefix("0x"),
            "crypto": keystore.encrypt(self.private_key, password, scrypt_n),
            "id": str(uuid.uuid4()),
            "version": 3,
        }

    @classmethod
    def read(cls, text: bytes | str, password: str) -> "EvmKey":
        """
        Decrypt an export.

        Raises:
            KeyFormatError: when it is no such export, the password is wrong, or its address is another key's.
        """
        content = keystore.parse(text, None)
        if content.get("version") != 3:
            raise KeyFormatError(f"version: found {content.get('version')!r}, allowed: 3")
        private_key = keystore.decrypt(content.get("crypto"), password)
        if len(private_key) != 32:
            raise KeyFormatError(f"the plaintext has {len(private_key)} bytes, a private key has 32")
        key = cls(private_key)
        if str(content.get("address")).lower().removeprefix("0x") != key.address.lower().removeprefix("0x"):
            raise KeyFormatError(f"address: found {content.get('address')!r}, but the key's is {key.address}")
        return key
