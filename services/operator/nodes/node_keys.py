"""A node's keys, in files that are made once and then only read."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import orjson

from chainlink.errors import KeyUnreadable
from chainlink.keys.evm import EvmKey
from chainlink.keys.ocr1 import OcrKeyBundle
from chainlink.keys.p2p import P2pKey
from meshkit import atomic_file
from services.operator import private_directory
from services.operator.errors import UnreadableKeyFile

EVM_FILE = "evm_key.json"
P2P_FILE = "p2p_key.json"
OCR_FILE = "ocr_key.json"


class _Key(Protocol):
    def export(self, password: str, scrypt_n: int) -> dict[str, Any]: ...


_K = TypeVar("_K", bound=_Key)


@dataclass(frozen=True, slots=True)
class NodeKeys:
    """Hold a node's keys and their encrypted exports as they are in its files; a bootstrap node has no `ocr`."""

    evm: EvmKey
    p2p: P2pKey
    ocr: OcrKeyBundle | None
    evm_export: str
    p2p_export: str
    ocr_export: str | None
    created: int


def ensure(directory: Path, password: str, scrypt_n: int, *, with_ocr: bool) -> NodeKeys:
    """
    Read a node's keys and make those that have no file; what exists is never overwritten.

    This takes as long as the files' scrypt cost says, up to a second a key: call it on a thread.

    Raises:
        UnreadableKeyFile: naming the first file that exists and does not decrypt; nothing was written then.
    """
    # Everything is read before anything is written: a wrong password must not leave a half-new identity.
    evm_old = _read(directory / EVM_FILE, EvmKey.read, password)
    p2p_old = _read(directory / P2P_FILE, P2pKey.read, password)
    ocr_old = _read(directory / OCR_FILE, OcrKeyBundle.read, password) if with_ocr else None
    private_directory.make(directory)
    evm, evm_export = evm_old or _make(directory / EVM_FILE, EvmKey.generate(), password, scrypt_n)
    p2p, p2p_export = p2p_old or _make(directory / P2P_FILE, P2pKey.generate(), password, scrypt_n)
    created = (evm_old is None) + (p2p_old is None)
    if not with_ocr:
        return NodeKeys(evm, p2p, None, evm_export, p2p_export, None, created)
    ocr, ocr_export = ocr_old or _make(directory / OCR_FILE, OcrKeyBundle.generate(), password, scrypt_n)
    return NodeKeys(evm, p2p, ocr, evm_export, p2p_export, ocr_export, created + (ocr_old is None))


def _read(path: Path, read: Callable[[str, str], _K], password: str) -> tuple[_K, str] | None:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableKeyFile(path, f"cannot be read: {error}") from error
    try:
        return read(text, password), text
    except KeyUnreadable as error:
        raise UnreadableKeyFile(path, str(error)) from error


def _make(path: Path, key: _K, password: str, scrypt_n: int) -> tuple[_K, str]:
    text = orjson.dumps(key.export(password, scrypt_n)).decode()
    atomic_file.create(path, text, private_directory.FILE_MODE)
    return key, text
