"""A node's OCR1 key bundle: one key signs reports, one observations, one receives the configuration's secret."""

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from chainlink.errors import KeyUnreadable
from chainlink.keys import envelope, export, secp256k1

_PREFIX = "ocrkey"  # of the password, so that no kind of key decrypts as another


@dataclass(frozen=True, slots=True)
class OracleKeys:
    """
    Hold the three secrets by which an oracle takes part in OCR1, 32 bytes each.

    Attributes:
        signing: secp256k1 key that signs reports; its address stands in the contract's signers.
        offchain: ed25519 seed that signs observations.
        config: X25519 scalar that decrypts the shared secret.
    """

    signing: bytes = field(repr=False)
    offchain: bytes = field(repr=False)
    config: bytes = field(repr=False)

    @property
    def signing_address(self) -> str:
        """Return the EIP-55 address of the signing key."""
        return secp256k1.address_of(self.signing)

    @property
    def offchain_public_key(self) -> bytes:
        """Return the 32-byte ed25519 public key."""
        return _ed25519_public(self.offchain)

    @property
    def config_public_key(self) -> bytes:
        """Return the 32-byte X25519 public key."""
        return X25519PrivateKey.from_private_bytes(self.config).public_key().public_bytes_raw()


@dataclass(frozen=True, slots=True)
class OcrKeyBundle:
    """Hold a bundle and its plaintext as it was made: the bundle's id is the hash of these very bytes."""

    plaintext: bytes = field(repr=False)
    keys: OracleKeys

    @classmethod
    def generate(cls) -> Self:
        """Make a bundle of new keys."""
        return cls.of(OracleKeys(secp256k1.random_private_key(), secrets.token_bytes(32), secrets.token_bytes(32)))

    @classmethod
    def of(cls, keys: OracleKeys) -> Self:
        """Join three keys to a bundle with the plaintext that a Chainlink node would write."""
        ed25519 = base64.b64encode(keys.offchain + keys.offchain_public_key).decode()
        # The field order and the lack of spaces are part of the format: the id hashes this text.
        plaintext = (
            f'{{"EcdsaD":{int.from_bytes(keys.signing, "big")},"Ed25519PrivKey":"{ed25519}",'
            f'"OffChainEncryption":[{",".join(str(byte) for byte in keys.config)}]}}'
        )
        return cls(plaintext.encode(), keys)

    @classmethod
    def from_plaintext(cls, plaintext: bytes) -> Self:
        """
        Read a bundle's plaintext and keep its bytes.

        Raises:
            KeyUnreadable: when a field is missing or no key. The text never shows the plaintext.
        """
        try:
            # json, since EcdsaD has up to 256 bits, which orjson refuses.
            content = json.loads(plaintext)
            scalar = content["EcdsaD"]
            ed25519 = base64.b64decode(content["Ed25519PrivKey"], validate=True)
            numbers = content["OffChainEncryption"]
            # A list, since a number would become that many zeros.
            config = bytes(numbers) if isinstance(numbers, list) else b""
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise KeyUnreadable(f"the plaintext is no OCR1 bundle ({type(error).__name__})") from None
        if not isinstance(scalar, int) or isinstance(scalar, bool) or not 0 < scalar < secp256k1.ORDER:
            raise KeyUnreadable("EcdsaD: not a secp256k1 private key")
        if len(ed25519) != 64 or ed25519[32:] != _ed25519_public(ed25519[:32]):
            raise KeyUnreadable("Ed25519PrivKey: not an ed25519 private key of 64 bytes")
        if len(config) != 32:
            raise KeyUnreadable("OffChainEncryption: not 32 numbers from 0 to 255")
        return cls(plaintext, OracleKeys(scalar.to_bytes(32, "big"), ed25519[:32], config))

    @classmethod
    def from_export(cls, document: Mapping[str, Any], password: str) -> Self:
        """
        Decrypt an export.

        Raises:
            KeyUnreadable: when it is none, the password is wrong, or its public fields are another key's.
        """
        bundle = cls.from_plaintext(envelope.decrypt(document.get("crypto"), _PREFIX + password))
        true = {"keyType": "OCR", "id": bundle.id, **bundle.public()}
        export.check(document, {name: (value,) for name, value in true.items()})
        return bundle

    @classmethod
    def read(cls, text: bytes | str, password: str) -> Self:
        """Decrypt the text of an export; raises as `from_export`."""
        return cls.from_export(export.parse(text), password)

    @property
    def id(self) -> str:
        """Return the bundle's id, 64 hexadecimal digits: SHA-256 of the plaintext."""
        return hashlib.sha256(self.plaintext).hexdigest()

    def public(self) -> dict[str, str]:
        """Return the public keys under the names and with the prefixes that key files and the REST API give them."""
        return {
            "onChainSigningAddress": f"ocrsad_{self.keys.signing_address}",
            "offChainPublicKey": f"ocroff_{self.keys.offchain_public_key.hex()}",
            "configPublicKey": f"ocrcfg_{self.keys.config_public_key.hex()}",
        }

    def export(self, password: str, scrypt_n: int = envelope.STANDARD_SCRYPT_N) -> dict[str, Any]:
        """Return the encrypted bundle as the JSON object that a Chainlink node imports."""
        crypto = envelope.encrypt(self.plaintext, _PREFIX + password, scrypt_n)
        return {"keyType": "OCR", "id": self.id, **self.public(), "crypto": crypto}


def _ed25519_public(seed: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
