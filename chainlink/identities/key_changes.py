"""
Other keys in the place of those that a node has: from an export, or made anew.

No key is ever lost by it. The old file is kept below the node's directory before the new one takes its place: a retired
one in `retired`, where its addresses still count as ours, one that was replaced by force in `replaced`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson

from chainlink.errors import AnotherKey, KeyUnreadable, NoSuchKey, UnreadableKeyFile, UnwritableSecrets
from chainlink.identities import key_files, raw_keys
from chainlink.identities.directory_lock import waiting_lock
from chainlink.identities.key_files import EVM_FILE, OCR2_FILE, OCR_FILE, P2P_FILE, Key
from chainlink.identities.public_keys import RETIRED
from chainlink.keys import export
from chainlink.keys.evm import EvmKey
from chainlink.keys.ocr1 import OcrKeyBundle
from chainlink.keys.ocr2 import Ocr2KeyBundle
from chainlink.keys.p2p import P2pKey
from meshkit import atomic_file, private_directory

KINDS: Mapping[str, type[Key]] = {
    EVM_FILE: EvmKey,
    P2P_FILE: P2pKey,
    OCR_FILE: OcrKeyBundle,
    OCR2_FILE: Ocr2KeyBundle,
}
"""What each key file holds."""

_REPLACED = "replaced"
_FILE_OF_KEY_TYPE = {"P2P": P2P_FILE, "OCR": OCR_FILE, "OCR2": OCR2_FILE}


@dataclass(frozen=True, slots=True)
class Change:
    """Hold what became of one key file: the ids of its old and new key, and where the old file is; empty if none."""

    name: str
    old_id: str
    new_id: str
    kept: Path | None = None


def file_name_of(text: str) -> str:
    """Return the name of the key file that an export belongs in; raises KeyUnreadable for a kind that nodes lack."""
    document = export.parse(text)
    if "keyType" not in document and document.get("version") == 3:
        return EVM_FILE
    key_type = document.get("keyType")
    name = _FILE_OF_KEY_TYPE.get(key_type) if isinstance(key_type, str) else None
    if name is None:
        raise KeyUnreadable(
            f"keyType: found {key_type!r}, allowed: 'P2P', 'OCR', 'OCR2', or none in an EVM key of version 3"
        )
    return name


def put(
    directory: Path, text: str, export_password: str, password: str, scrypt_n: int, at: datetime, *, force: bool
) -> Change:
    """
    Make the key of an export the node's own; one that it has already stays as it is.

    Args:
        directory: The node's directory below `cl-secrets`.
        text: The export.
        export_password: The password that it was exported with.
        password: The keystore's password; with the same one the export's bytes are kept.
        scrypt_n: The scrypt cost if it has to be encrypted anew.
        at: When it is done.
        force: Whether it may take the place of another key.

    Raises:
        KeyUnreadable: when it is no export, or `export_password` is not its password.
        AnotherKey: when the node has another key of that kind, without `force`.
        UnreadableKeyFile, UnwritableSecrets: when the node's own file cannot be read or written.
    """
    name = file_name_of(text)
    key = KINDS[name].read(text, export_password)
    private_directory.make(directory)
    with waiting_lock(directory):
        path = directory / name
        old_id = _id_of(path, password, force=force)
        if old_id == key.id:
            return Change(name, old_id, key.id)
        if path.exists() and not force:
            raise AnotherKey(path, old_id, key.id)
        content = text if export_password == password else _export(key, password, scrypt_n)
        kept = _keep(path, directory / _REPLACED, at) if path.exists() else None
        _replace(path, content)
    return Change(name, old_id, key.id, kept)


def rotate(directory: Path, names: tuple[str, ...], password: str, scrypt_n: int, at: datetime) -> tuple[Change, ...]:
    """
    Make new keys in the place of a node's; the old ones are retired.

    Raises:
        NoSuchKey: when the node has no key of such a name.
        UnreadableKeyFile: when one does not decrypt; nothing was changed then.
        UnwritableSecrets: when a file cannot be written.
    """
    changes: list[Change] = []
    with waiting_lock(directory):
        old: dict[str, Key] = {}
        for name in names:
            found = key_files.read(directory / name, KINDS[name], password)
            if found is None:
                raise NoSuchKey(directory / name)
            old[name] = found[0]
        for name in names:
            key = KINDS[name].generate()
            content = _export(key, password, scrypt_n)
            kept = _keep(directory / name, directory / RETIRED, at)
            _replace(directory / name, content)
            changes.append(Change(name, old[name].id, key.id, kept))
        # Of it the existing system, and a later start, would make the old keys again.
        raw = directory / raw_keys.RAW_FILE
        if raw.exists():
            _keep(raw, directory / RETIRED, at)
            raw.unlink()
    return tuple(changes)


def _id_of(path: Path, password: str, *, force: bool) -> str:
    """Return the id of a file's key, empty if there is no file, or, by force, if it cannot be read."""
    try:
        found = key_files.read(path, KINDS[path.name], password)
    except UnreadableKeyFile:
        if not force:
            raise
        return ""
    return "" if found is None else found[0].id


def _export(key: Key, password: str, scrypt_n: int) -> str:
    return orjson.dumps(key.export(password, scrypt_n)).decode()


def _keep(path: Path, directory: Path, at: datetime) -> Path:
    """Copy a file to where old ones are kept, for good before the new one takes its place."""
    kept = directory / f"{at.astimezone(UTC):%Y%m%dT%H%M%S%fZ}-{path.name}"
    try:
        private_directory.make(directory)
        atomic_file.create(kept, path.read_bytes(), private_directory.FILE_MODE)
    except OSError as error:
        raise UnwritableSecrets(kept, error.strerror or "") from error
    return kept


def _replace(path: Path, content: str) -> None:
    try:
        atomic_file.replace(path, content, private_directory.FILE_MODE)
    except OSError as error:
        raise UnwritableSecrets(path, error.strerror or "") from error
