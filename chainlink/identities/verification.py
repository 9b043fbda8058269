"""Whether a node's key files are whole: readable with the keystore's password, closed, and each node's own."""

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chainlink.errors import UnreadableKeyFile
from chainlink.identities import key_files, raw_keys
from chainlink.identities.key_changes import KINDS
from chainlink.identities.key_files import EVM_FILE, OCR2_FILE, OCR_FILE, P2P_FILE


@dataclass(frozen=True, slots=True)
class Verified:
    """Hold one key file of a node: the id of its key, and what is wrong with it, empty if nothing is."""

    index: int
    path: Path
    key_id: str
    problem: str


def verify(directories: dict[int, Path], bootstrap_nodes: int, password: str) -> tuple[Verified, ...]:
    """Decrypt every key file of the nodes; this takes up to a second a file."""
    found: list[Verified] = []
    for index, directory in directories.items():
        found += _verify_node(index, directory, password, with_ocr=index > bootstrap_nodes)
    owners: dict[str, Path] = {}
    return tuple(_alone(each, owners) for each in found)


def _verify_node(index: int, directory: Path, password: str, *, with_ocr: bool) -> Iterator[Verified]:
    raw, problem = None, ""
    try:
        raw = raw_keys.read(directory / raw_keys.RAW_FILE)
    except UnreadableKeyFile as error:
        problem = error.cause
    if raw is not None or problem:
        yield Verified(index, directory / raw_keys.RAW_FILE, "", problem or _open_to(directory / raw_keys.RAW_FILE))
    of_raw = {} if raw is None else {EVM_FILE: raw.evm.id, P2P_FILE: raw.p2p.id, OCR_FILE: raw.ocr.id}
    # A bundle of OCR2 is there where one was needed.
    with_ocr2 = (directory / OCR2_FILE).exists()
    for name in (EVM_FILE, P2P_FILE, *([OCR_FILE] if with_ocr else []), *([OCR2_FILE] if with_ocr2 else [])):
        path = directory / name
        try:
            read = key_files.read(path, KINDS[name], password)
        except UnreadableKeyFile as error:
            yield Verified(index, path, "", error.cause)
            continue
        if read is None:
            yield Verified(
                index, path, "", "is missing: the next start makes it of keys-raw.json" if raw else "is missing"
            )
        elif name in of_raw and of_raw[name] != read[0].id:
            yield Verified(index, path, read[0].id, f"keys-raw.json holds another key: {of_raw[name]}")
        else:
            yield Verified(index, path, read[0].id, _open_to(path))


def _open_to(path: Path) -> str:
    mode = stat.S_IMODE(path.stat().st_mode)
    return f"others can read it (mode {mode:04o}), allowed: 0600" if mode & 0o077 else ""


def _alone(each: Verified, owners: dict[str, Path]) -> Verified:
    other = owners.setdefault(each.key_id, each.path) if each.key_id else each.path
    if other == each.path or each.problem:
        return each
    return Verified(each.index, each.path, each.key_id, f"is the same key as {other}")
