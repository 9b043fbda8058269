"""
A node's key files, `cl-secrets/<n>/*_key.json`: made once, then only read.

What exists is taken as it is, whoever wrote it. What is missing is looked for where the key may still be, in the order
of `Source`, and made only when it is nowhere: a new key is another oracle than the one that a feed's contract lists.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Generic, Protocol, Self, TypeVar

import orjson

from chainlink.errors import KeyUnreadable, UnreadableKeyFile, UnwritableSecrets
from chainlink.identities import raw_keys
from chainlink.identities.directory_lock import waiting_lock
from chainlink.keys.evm import EvmKey
from chainlink.keys.ocr1 import OcrKeyBundle
from chainlink.keys.ocr2 import Ocr2KeyBundle
from chainlink.keys.p2p import P2pKey
from meshkit import atomic_file, private_directory

EVM_FILE = "evm_key.json"
P2P_FILE = "p2p_key.json"
OCR_FILE = "ocr_key.json"
OCR2_FILE = "ocr2_key.json"
KEY_FILES = (EVM_FILE, P2P_FILE, OCR_FILE)
"""What every oracle has; of OCR2 only those have a bundle that serve a feed of it."""


class Source(Enum):
    """Where a key was found."""

    FILE = "file"
    RAW = "keys-raw.json, which the existing system makes its key files of"
    EARLIER = "the data directory, where earlier versions kept it"
    MADE = "made"


class Key(Protocol):
    """One of a node's keys."""

    @property
    def id(self) -> str:
        """Return what the key is known by."""

    def export(self, password: str, scrypt_n: int) -> dict[str, Any]:
        """Return the encrypted key as JSON values."""

    @classmethod
    def generate(cls) -> Self:
        """Make a new key."""

    @classmethod
    def read(cls, text: bytes | str, password: str) -> Self:
        """Decrypt the text of an export."""


K = TypeVar("K", bound=Key)


@dataclass(frozen=True, slots=True)
class NodeKeys:
    """
    Hold a node's keys and their encrypted exports as they are in its files; a bootstrap node has no `ocr`.

    Only an oracle that serves a feed of OCR2 has `ocr2`.
    `sources` says by file name where each key was found, `opened` which files others could read until now.
    """

    evm: EvmKey
    p2p: P2pKey
    ocr: OcrKeyBundle | None
    evm_export: str
    p2p_export: str
    ocr_export: str | None
    sources: Mapping[str, Source]
    opened: tuple[Path, ...] = ()
    ocr2: Ocr2KeyBundle | None = None
    ocr2_export: str | None = None

    @property
    def created(self) -> int:
        """Return how many keys were made."""
        return sum(source is Source.MADE for source in self.sources.values())


def ensure(
    directory: Path,
    password: str,
    scrypt_n: int,
    *,
    with_ocr: bool,
    with_ocr2: bool = False,
    earlier: Sequence[Path] = (),
) -> NodeKeys:
    """
    Read a node's keys and make those that are nowhere; what exists is never overwritten.

    This takes as long as the files' scrypt cost says, up to a second a key: call it on a thread. Whoever does the same
    for the same node meanwhile is waited for.

    Args:
        directory: The node's directory below `cl-secrets`.
        password: The keystore's password.
        scrypt_n: The scrypt cost of files that are written.
        with_ocr: Whether it is an oracle.
        with_ocr2: Whether it is one that serves a feed of OCR2.
        earlier: Where earlier versions kept the same files; they are copied from the first place that has them.

    Raises:
        UnreadableKeyFile: naming the first file that exists and does not decrypt; nothing was written then.
        UnwritableSecrets: when a key must be written and cannot be.
    """
    _make_directory(directory)
    with waiting_lock(directory):
        reader = _Reader(directory, password, scrypt_n, earlier)
        # Everything is read before anything is written: a wrong password must not leave a half-new identity.
        evm = reader.find(EVM_FILE, EvmKey, lambda raw: raw.evm)
        p2p = reader.find(P2P_FILE, P2pKey, lambda raw: raw.p2p)
        ocr = reader.find(OCR_FILE, OcrKeyBundle, lambda raw: raw.ocr) if with_ocr else None
        ocr2 = reader.find(OCR2_FILE, Ocr2KeyBundle, None) if with_ocr2 else None
        found: list[_Found[Any]] = [evm, p2p, *(each for each in (ocr, ocr2) if each is not None)]
        for each in found:
            if each.source is not Source.FILE:
                _write(directory / each.name, each.text)
        opened = tuple(path for path in _present(directory) if _close(path))
    return NodeKeys(
        evm.key,
        p2p.key,
        ocr.key if ocr else None,
        evm.text,
        p2p.text,
        ocr.text if ocr else None,
        {each.name: each.source for each in found},
        opened,
        ocr2.key if ocr2 else None,
        ocr2.text if ocr2 else None,
    )


def read(path: Path, kind: type[K], password: str) -> tuple[K, str] | None:
    """Return the key of a file and the file's text, None if there is no such file; raises UnreadableKeyFile."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnreadableKeyFile(path, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UnreadableKeyFile(path, "is damaged: not UTF-8 text") from error
    if not text.strip():
        # An unfinished write of some tool. It may stand for a key that a contract lists, so none is made in its place.
        raise UnreadableKeyFile(path, "is empty: restore it, or remove it to have a new key made")
    try:
        return kind.read(text, password), text
    except KeyUnreadable as error:
        raise UnreadableKeyFile(path, str(error)) from error


@dataclass(frozen=True, slots=True)
class _Found(Generic[K]):
    name: str
    key: K
    text: str
    source: Source


class _Reader:
    """Look for a node's keys in all places; nothing is written."""

    def __init__(self, directory: Path, password: str, scrypt_n: int, earlier: Sequence[Path]) -> None:
        self._directory = directory
        self._password = password
        self._scrypt_n = scrypt_n
        self._earlier = earlier

    def find(self, name: str, kind: type[K], of_raw: Callable[[raw_keys.RawKeys], K] | None) -> _Found[K]:
        if (found := read(self._directory / name, kind, self._password)) is not None:
            return _Found(name, *found, Source.FILE)
        if of_raw is not None and (raw := raw_keys.read(self._directory / raw_keys.RAW_FILE)) is not None:
            key = of_raw(raw)
            return _Found(name, key, self._export(key), Source.RAW)
        for place in self._earlier:
            if (found := read(place / name, kind, self._password)) is not None:
                return _Found(name, *found, Source.EARLIER)
        made = kind.generate()
        return _Found(name, made, self._export(made), Source.MADE)

    def _export(self, key: Key) -> str:
        return orjson.dumps(key.export(self._password, self._scrypt_n)).decode()


def _present(directory: Path) -> list[Path]:
    return [path for name in (*KEY_FILES, OCR2_FILE, raw_keys.RAW_FILE) if (path := directory / name).exists()]


def _make_directory(directory: Path) -> None:
    try:
        private_directory.make(directory)
    except OSError as error:
        raise UnwritableSecrets(directory, error.strerror or "") from error


def _write(path: Path, text: str) -> None:
    try:
        atomic_file.create(path, text, private_directory.FILE_MODE)
    except OSError as error:
        raise UnwritableSecrets(path, error.strerror or "") from error


def _close(path: Path) -> bool:
    try:
        return private_directory.close(path)
    except OSError as error:
        mode = f"{path.stat().st_mode & 0o777:04o}"
        raise UnreadableKeyFile(path, f"others can read it (mode {mode}), allowed: 0600; chmod it") from error
