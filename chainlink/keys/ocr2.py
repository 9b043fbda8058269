"""A node's OCR2 key bundle: three keys as in OCR1, in another plaintext and under another id."""

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

import orjson

from chainlink.errors import KeyUnreadable
from chainlink.keys import envelope, export, secp256k1
from chainlink.keys.ocr1 import OracleKeys

_PREFIX: Final = "ocr2key"  # of the password, so that no kind of key decrypts as another
_CHAIN_TYPE: Final = "evm"
_NO_ID: Final = "0" * 64
_KEY_BYTES: Final = 32
# An ed25519 private key with its public half, and an X25519 scalar.
_OFFCHAIN_BYTES: Final = 96


@dataclass(frozen=True, slots=True)
class Ocr2KeyBundle:
    """Hold a bundle, its id, and its plaintext as it was made: nodes believe the id that stands in it."""

    plaintext: bytes = field(repr=False)
    id: str
    keys: OracleKeys

    @classmethod
    def generate(cls) -> Self:
        """Make a bundle of new keys."""
        return cls.of(OracleKeys(secp256k1.random_private_key(), secrets.token_bytes(32), secrets.token_bytes(32)))

    @classmethod
    def of(cls, keys: OracleKeys) -> Self:
        """Join three keys to a bundle as a Chainlink node would: its id is the hash of its text with zeros as id."""
        bundle_id = hashlib.sha256(_plaintext(keys, _NO_ID)).hexdigest()
        return cls(_plaintext(keys, bundle_id), bundle_id, keys)

    @classmethod
    def from_plaintext(cls, plaintext: bytes) -> Self:
        """
        Read a bundle's plaintext and keep its bytes; without an id in it, its own hash is the id, as nodes have it.

        Raises:
            KeyUnreadable: when a field is missing or no key. The text never shows the plaintext.
        """
        try:
            content = json.loads(plaintext)
            chain_type = content["ChainType"]
            offchain = base64.b64decode(content["OffchainKeyring"], validate=True)
            signing = base64.b64decode(content["Keyring"], validate=True)
            said = content.get("ID", _NO_ID)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise KeyUnreadable(f"the plaintext is no OCR2 bundle ({type(error).__name__})") from None
        if chain_type != _CHAIN_TYPE:
            raise KeyUnreadable(f"ChainType: not {_CHAIN_TYPE!r}")
        if len(signing) != _KEY_BYTES or not 0 < int.from_bytes(signing, "big") < secp256k1.ORDER:
            raise KeyUnreadable("Keyring: not a secp256k1 private key")
        keys = OracleKeys(signing, offchain[:_KEY_BYTES], offchain[2 * _KEY_BYTES :])
        if len(offchain) != _OFFCHAIN_BYTES or offchain[_KEY_BYTES : 2 * _KEY_BYTES] != keys.offchain_public_key:
            raise KeyUnreadable("OffchainKeyring: not an ed25519 private key of 64 bytes and an X25519 key of 32")
        if not isinstance(said, str) or len(said) != len(_NO_ID) or set(said) - set("0123456789abcdef"):
            raise KeyUnreadable("ID: not 64 hexadecimal digits")
        return cls(plaintext, hashlib.sha256(plaintext).hexdigest() if said == _NO_ID else said, keys)

    @classmethod
    def from_export(cls, document: Mapping[str, Any], password: str) -> Self:
        """
        Decrypt an export.

        Raises:
            KeyUnreadable: when it is none, the password is wrong, or its public fields are another key's.
        """
        bundle = cls.from_plaintext(envelope.decrypt(document.get("crypto"), _PREFIX + password))
        true = {"keyType": "OCR2", "chainType": _CHAIN_TYPE, "id": bundle.id, **bundle.public()}
        export.check(document, {name: (value,) for name, value in true.items()})
        return bundle

    @classmethod
    def read(cls, text: bytes | str, password: str) -> Self:
        """Decrypt the text of an export; raises as `from_export`."""
        return cls.from_export(export.parse(text), password)

    def public(self) -> dict[str, str]:
        """Return the public keys as key files have them; the on-chain one is the 20 bytes of the signer's address."""
        return {
            "onchainPublicKey": self.keys.signing_address.lower().removeprefix("0x"),
            "offchainPublicKey": self.keys.offchain_public_key.hex(),
            "configPublicKey": self.keys.config_public_key.hex(),
        }

    def export(self, password: str, scrypt_n: int = envelope.STANDARD_SCRYPT_N) -> dict[str, Any]:
        """Return the encrypted bundle as the JSON object that a Chainlink node imports."""
        crypto = envelope.encrypt(self.plaintext, _PREFIX + password, scrypt_n)
        return {"keyType": "OCR2", "chainType": _CHAIN_TYPE, "id": self.id, **self.public(), "crypto": crypto}


def _plaintext(keys: OracleKeys, bundle_id: str) -> bytes:
    # The order of fields and the lack of spaces are part of the format: the id hashes this text.
    return orjson.dumps(
        {
            "ChainType": _CHAIN_TYPE,
            "OffchainKeyring": base64.b64encode(keys.offchain + keys.offchain_public_key + keys.config).decode(),
            "Keyring": base64.b64encode(keys.signing).decode(),
            "ID": bundle_id,
        }
    )
