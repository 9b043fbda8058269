"""A node's OCR1 key bundle: one key signs reports, one observations, one receives the configuration's secret."""

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from eth_keys.datatypes import PrivateKey

from services.operator.errors import KeyFormatError
from services.operator.keys import keystore
from services.operator.keys.secp256k1 import ORDER, random_scalar

_PREFIX = "ocrkey"  # of the password, so that no kind of key decrypts as another
SIGNING_PREFIX = "ocrsad_"
OFFCHAIN_PREFIX = "ocroff_"
CONFIG_PREFIX = "ocrcfg_"


@dataclass(frozen=True, slots=True)
class OcrKeyBundle:
    """
    Hold the plaintext of a bundle as it was made; its id is the hash of these very bytes.

    The keys: a secp256k1 scalar, a 32-byte ed25519 seed, a 32-byte X25519 scalar.
    """

    plaintext: bytes = field(repr=False)
    signing_key: bytes = field(repr=False)
    offchain_seed: bytes = field(repr=False)
    config_scalar: bytes = field(repr=False)

    @classmethod
    def generate(cls) -> "OcrKeyBundle":
        """Make a new bundle."""
        return cls.of(random_scalar(), secrets.token_bytes(32), secrets.token_bytes(32))

    @classmethod
    def of(cls, signing_scalar: int, offchain_seed: bytes, config_scalar: bytes) -> "OcrKeyBundle":
        """Join three private keys to a bundle with the plaintext that a Chainlink node would write."""
        ed25519 = offchain_seed + _ed25519_public(offchain_seed)
        # The field order and the lack of spaces are part of the format: the id hashes this text.
        plaintext = (
            f'{{"EcdsaD":{signing_scalar},"Ed25519PrivKey":"{base64.b64encode(ed25519).decode()}",'
            f'"OffChainEncryption":[{",".join(str(byte) for byte in config_scalar)}]}}'
        ).encode()
        return cls(plaintext, signing_scalar.to_bytes(32, "big"), offchain_seed, config_scalar)

    @classmethod
    def from_plaintext(cls, plaintext: bytes) -> "OcrKeyBundle":
        """
        Read a bundle's plaintext and keep its bytes.

        Raises:
            KeyFormatError: when a field is missing or no key. The text never shows the plaintext.
        """
        try:
            # json, since EcdsaD has up to 256 bits, which orjson refuses.
            content = json.loads(plaintext)
            scalar = content["EcdsaD"]
            ed25519 = base64.b64decode(content["Ed25519PrivKey"], validate=True)
            config_scalar = bytes(content["OffChainEncryption"])
        except (ValueError, KeyError, TypeError) as error:
            raise KeyFormatError(f"the plaintext is not an OCR1 bundle ({type(error).__name__})") from None
        if not isinstance(scalar, int) or not 0 < scalar < ORDER:
            raise KeyFormatError("EcdsaD: not a secp256k1 private key")
        if len(ed25519) != 64 or ed25519[32:] != _ed25519_public(ed25519[:32]):
            raise KeyFormatError("Ed25519PrivKey: not an ed25519 private key of 64 bytes")
        if len(config_scalar) != 32:
            raise KeyFormatError(f"OffChainEncryption: found {len(config_scalar)} numbers, allowed: 32")
        return cls(plaintext, scalar.to_bytes(32, "big"), ed25519[:32], config_scalar)

    @property
    def id(self) -> str:
        """Return the bundle's id, 64 hexadecimal digits: SHA-256 of the plaintext."""
        return hashlib.sha256(self.plaintext).hexdigest()

    @property
    def signing_address(self) -> str:
        """Return the EIP-55 address of the key that signs reports."""
        return PrivateKey(self.signing_key).public_key.to_checksum_address()

    @property
    def offchain_public_key(self) -> bytes:
        """Return the 32-byte ed25519 public key that observations are checked with."""
        return _ed25519_public(self.offchain_seed)

    @property
    def config_public_key(self) -> bytes:
        """Return the 32-byte X25519 public key that the configuration's secret is encrypted for."""
        return X25519PrivateKey.from_private_bytes(self.config_scalar).public_key().public_bytes_raw()

    def export(self, password: str, scrypt_n: int = keystore.STANDARD_SCRYPT_N) -> dict[str, Any]:
        """Return the encrypted bundle as the JSON object that a Chainlink node imports."""
        return {
            "keyType": "OCR",
            **self._public_fields(),
            "crypto": keystore.encrypt(self.plaintext, _PREFIX + password, scrypt_n),
        }

    @classmethod
    def read(cls, text: bytes | str, password: str) -> "OcrKeyBundle":
        """
        Decrypt an export.

        Raises:
            KeyFormatError: when it is no such export, the password is wrong, or its public fields are another key's.
        """
        content = keystore.parse(text, "OCR")
        bundle = cls.from_plaintext(keystore.decrypt(content.get("crypto"), _PREFIX + password))
        for name, expected in bundle._public_fields().items():
            if content.get(name) != expected:
                raise KeyFormatError(f"{name}: found {content.get(name)!r}, but the key's is {expected!r}")
        return bundle

    def _public_fields(self) -> dict[str, str]:
        return {
            "id": self.id,
            "onChainSigningAddress": SIGNING_PREFIX + self.signing_address,
            "offChainPublicKey": OFFCHAIN_PREFIX + self.offchain_public_key.hex(),
            "configPublicKey": CONFIG_PREFIX + self.config_public_key.hex(),
        }


def _ed25519_public(seed: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
