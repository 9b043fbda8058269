"""The key that is a node's identity among its peers: ed25519, with the libp2p peer id as its name."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chainlink.errors import KeyUnreadable
from chainlink.keys import envelope, export
from chainlink.keys.peer_id import TEXT_PREFIX, encode_peer_id

_PREFIX = "p2pkey"  # of the password, so that no kind of key decrypts as another
# libp2p's protobuf of a private key: field 1 = 1 (ed25519), field 2 = 64 bytes.
_HEADER = bytes.fromhex("08011240")


@dataclass(frozen=True, slots=True)
class P2pKey:
    """Hold one ed25519 seed of 32 bytes."""

    seed: bytes = field(repr=False)

    @classmethod
    def generate(cls) -> Self:
        """Make a new key."""
        return cls(secrets.token_bytes(32))

    @classmethod
    def from_plaintext(cls, plaintext: bytes) -> Self:
        """Take the key from the decrypted bytes of an export; KeyUnreadable if they are none."""
        if len(plaintext) != len(_HEADER) + 64 or not plaintext.startswith(_HEADER):
            raise KeyUnreadable(f"the plaintext of {len(plaintext)} bytes is no ed25519 private key of libp2p")
        key = cls(plaintext[4:36])
        if plaintext[36:] != key.public_key:
            raise KeyUnreadable("the plaintext's public half does not belong to its seed")
        return key

    @classmethod
    def from_export(cls, document: Mapping[str, Any], password: str) -> Self:
        """
        Decrypt an export.

        Raises:
            KeyUnreadable: when it is none, the password is wrong, or its public fields are another key's.
        """
        key = cls.from_plaintext(envelope.decrypt(document.get("crypto"), _PREFIX + password))
        export.check(
            document,
            {
                "keyType": ("P2P",),
                "publicKey": (key.public_key.hex(),),
                "peerID": (TEXT_PREFIX + key.peer_id, key.peer_id),
            },
        )
        return key

    @classmethod
    def read(cls, text: bytes | str, password: str) -> Self:
        """Decrypt the text of an export; raises as `from_export`."""
        return cls.from_export(export.parse(text), password)

    @property
    def plaintext(self) -> bytes:
        """Return the bytes that an export encrypts."""
        return _HEADER + self.seed + self.public_key

    @property
    def id(self) -> str:
        """Return what the key is known by: its bare peer id."""
        return self.peer_id

    @property
    def public_key(self) -> bytes:
        """Return the 32-byte public key."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw()

    @property
    def peer_id(self) -> str:
        """Return the bare base58 peer id."""
        return encode_peer_id(self.public_key)

    def export(self, password: str, scrypt_n: int = envelope.STANDARD_SCRYPT_N) -> dict[str, Any]:
        """Return the encrypted key as the JSON object that a Chainlink node imports."""
        return {
            "keyType": "P2P",
            "publicKey": self.public_key.hex(),
            "peerID": TEXT_PREFIX + self.peer_id,
            "crypto": envelope.encrypt(self.plaintext, _PREFIX + password, scrypt_n),
        }
