"""The bundle of three keys by which a node takes part in OCR1."""

import base64
import binascii
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.oracle.keys.envelope import STANDARD_SCRYPT_N, KeyUnreadable, decrypt, encrypt
from services.oracle.ocr.keys import OracleKeys

_PREFIX = "ocrkey"
_CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@dataclass(frozen=True, slots=True)
class OcrBundle:
    """Hold the bundle as the bytes it was imported as, because its id is their hash."""

    plaintext: bytes = field(repr=False)
    keys: OracleKeys

    @classmethod
    def generate(cls) -> Self:
        """Return a bundle of new random keys."""
        seed = secrets.token_bytes(32)
        public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
        document = {
            "EcdsaD": secrets.randbelow(_CURVE_ORDER - 1) + 1,
            "Ed25519PrivKey": base64.b64encode(seed + public).decode(),
            "OffChainEncryption": list(secrets.token_bytes(32)),
        }
        return cls.from_plaintext(json.dumps(document, separators=(",", ":")).encode())

    @classmethod
    def from_plaintext(cls, plaintext: bytes) -> Self:
        """Take the bundle from the decrypted bytes of an export; KeyUnreadable if they are none."""
        try:
            document = json.loads(plaintext)
            scalar = document["EcdsaD"]
            private = base64.b64decode(document["Ed25519PrivKey"], validate=True)
            config = bytes(document["OffChainEncryption"])
        except (ValueError, KeyError, TypeError, binascii.Error) as error:
            raise KeyUnreadable("failed to decrypt: the plaintext is no OCR key bundle") from error
        if not isinstance(scalar, int) or not 0 < scalar < _CURVE_ORDER or len(private) != 64 or len(config) != 32:
            raise KeyUnreadable("failed to decrypt: a key of the OCR key bundle has a wrong size")
        return cls(plaintext, OracleKeys(scalar.to_bytes(32, "big"), private[:32], config))

    @classmethod
    def from_export(cls, export: dict[str, Any], password: str) -> Self:
        """Decrypt an export; KeyUnreadable if it is none or the password is wrong."""
        return cls.from_plaintext(decrypt(export.get("crypto"), _PREFIX + password))

    @property
    def id(self) -> str:
        """Return the bundle's id, the SHA-256 of its plaintext in hex."""
        return hashlib.sha256(self.plaintext).hexdigest()

    def public(self) -> dict[str, str]:
        """Return the public keys under the names and with the prefixes of the REST API."""
        return {
            "onChainSigningAddress": f"ocrsad_{self.keys.signing_address}",
            "offChainPublicKey": f"ocroff_{self.keys.offchain_public_key.hex()}",
            "configPublicKey": f"ocrcfg_{self.keys.config_public_key.hex()}",
        }

    def export(self, password: str, *, scrypt_n: int = STANDARD_SCRYPT_N) -> dict[str, Any]:
        """Return the export object."""
        crypto = encrypt(self.plaintext, _PREFIX + password, scrypt_n=scrypt_n)
        return {"keyType": "OCR", "id": self.id, **self.public(), "crypto": crypto}
