"""
`keys-raw.json`: a node's private keys as bare hexadecimal text, from which the existing system makes the key files.

It is read where a key file is missing, so that both systems make the same keys of it, and never written.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import orjson

from chainlink.errors import KeyUnreadable, UnreadableKeyFile
from chainlink.keys import secp256k1
from chainlink.keys.evm import EvmKey
from chainlink.keys.ocr1 import OcrKeyBundle, OracleKeys
from chainlink.keys.p2p import P2pKey

RAW_FILE = "keys-raw.json"


@dataclass(frozen=True, slots=True)
class RawKeys:
    """Hold the three keys of a node."""

    evm: EvmKey
    p2p: P2pKey
    ocr: OcrKeyBundle

    @classmethod
    def of(cls, document: Any) -> Self:
        """Take the keys from the file's JSON; raises KeyUnreadable, which names a field and never its value."""
        signing = _bytes(document, "ocr.ecdsaDHex", 32)
        if not secp256k1.is_private_key(signing):
            raise KeyUnreadable("ocr.ecdsaDHex: not a secp256k1 private key")
        evm = _bytes(document, "evm.privateKeyHex", 32)
        if not secp256k1.is_private_key(evm):
            raise KeyUnreadable("evm.privateKeyHex: not a secp256k1 private key")
        # Clamped before it is encrypted, unlike in keys that a node makes: the bundle's id follows from these bytes.
        config = bytearray(_bytes(document, "ocr.offchainEncryptionHex", 32))
        config[0] &= 248
        config[31] = config[31] & 127 | 64
        keys = OracleKeys(signing, _seed(document, "ocr.ed25519PrivKeyHex"), bytes(config))
        return cls(EvmKey(evm), P2pKey(_seed(document, "p2p.ed25519PrivKeyHex")), OcrKeyBundle.of(keys))


def read(path: Path) -> RawKeys | None:
    """Return the keys of a file, None if there is none; raises UnreadableKeyFile."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnreadableKeyFile(path, f"cannot be read: {error.strerror}") from error
    if not content.strip():
        return None  # the existing system takes an empty file for none
    try:
        return RawKeys.of(orjson.loads(content))
    except orjson.JSONDecodeError:
        # Its text would show a part of the file.
        raise UnreadableKeyFile(path, "is damaged: not JSON") from None
    except KeyUnreadable as error:
        raise UnreadableKeyFile(path, str(error)) from error


def _bytes(document: Any, place: str, length: int) -> bytes:
    value = document
    for name in place.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    text = value.removeprefix("0x") if isinstance(value, str) else None
    try:
        found = bytes.fromhex(text or "")
    except ValueError:
        found = b""
    if len(found) != length:
        raise KeyUnreadable(f"{place}: allowed: {2 * length} hexadecimal digits")
    return found


def _seed(document: Any, place: str) -> bytes:
    """Return the seed of an ed25519 private key that is written with its public half behind it."""
    both = _bytes(document, place, 64)
    if both[32:] != P2pKey(both[:32]).public_key:
        raise KeyUnreadable(f"{place}: its second half is not the public key of its first")
    return both[:32]
