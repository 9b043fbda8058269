"""Key files that are made once and then only read."""

import json
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from chainlink.errors import UnreadableKeyFile
from chainlink.identities import key_files, public_keys, raw_keys
from chainlink.identities.key_files import KEY_FILES, Key, NodeKeys, Source
from chainlink.identities.public_keys import PublicKeys

VECTORS = Path(__file__).parents[2] / "vectors" / "keys"
VECTOR_IDS = (
    "0xb2120143da57569d36558B36A532E3a96F5e43b3",
    "12D3KooWEPQwY5VuK7m6GfFujirKAs7kJQ7QCeDLqFJFrRRTXQDR",
    "8a7da57bc2c693142e0e50650b3b944043519d49797545f7dcc0b2e96fba8d1e",
)
PASSWORD = "a-keystore-password-of-30-char"


def ensured(directory: Path, password: str = PASSWORD, earlier: Sequence[Path] = ()) -> NodeKeys:
    """Make or read the keys of an oracle, at the least cost that scrypt allows."""
    return key_files.ensure(directory, password, 2, with_ocr=True, earlier=earlier)


def ids(keys: NodeKeys) -> tuple[str, ...]:
    """Return what the three keys are known by."""
    assert keys.ocr is not None
    return keys.evm.id, keys.p2p.id, keys.ocr.id


def contents(directory: Path) -> dict[str, bytes]:
    """Return all files."""
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.fixture(name="directory")
def _directory(tmp_path: Path) -> Path:
    return tmp_path / "cl-secrets" / "2"


@pytest.fixture(name="made")
def _made(directory: Path) -> NodeKeys:
    """Give the keys that the directory holds."""
    return ensured(directory)


def test_a_missing_key_is_made_and_the_others_kept(directory: Path, made: NodeKeys) -> None:
    """If one key file is gone, only that key is made anew."""
    (directory / "ocr_key.json").unlink()
    again = ensured(directory)

    assert {"evm_key.json": Source.FILE, "p2p_key.json": Source.FILE, "ocr_key.json": Source.MADE} == again.sources
    assert ids(made)[:2] == ids(again)[:2]
    assert ids(made)[2] != ids(again)[2]


def test_a_bundle_of_ocr2_is_made_where_one_is_needed(directory: Path, made: NodeKeys) -> None:
    """Who serves a feed of OCR2 gets a bundle of it beside its keys, which stays; all else is as it was."""
    first, again = (key_files.ensure(directory, PASSWORD, 2, with_ocr=True, with_ocr2=True) for _ in range(2))

    assert made.ocr2 is None
    assert (Source.MADE, Source.FILE) == (first.sources["ocr2_key.json"], again.sources["ocr2_key.json"])
    assert first.ocr2 is not None
    assert (first.ocr2, ids(made)) == (again.ocr2, ids(again))
    assert {*KEY_FILES, "ocr2_key.json"} == set(contents(directory))
    signer = first.ocr2.keys.signing_address
    assert signer.lower() in public_keys.addresses(directory.parent)
    assert (first.ocr2.id, signer) == _ocr2_of(public_keys.read(directory, 2))


def _ocr2_of(found: PublicKeys) -> tuple[str, str]:
    return found.ocr2_bundle_id, found.ocr2_signing_address


def test_a_wrong_password_names_the_file_and_overwrites_nothing(directory: Path, made: NodeKeys) -> None:
    """With another keystore password the first key file is named, and every byte stays as it is."""
    (directory / "ocr_key.json").unlink()
    before = contents(directory)

    with pytest.raises(UnreadableKeyFile, match=r"2/evm_key\.json: the password is wrong"):
        ensured(directory, "another-password-16")
    assert before == contents(directory)


@pytest.mark.parametrize("damage", [b"", b"\n", b"\xff\xfe", b"{}", b'{"version": 3, "crypto"'])
@pytest.mark.parametrize("name", KEY_FILES)
def test_a_damaged_key_file_is_left_alone(directory: Path, made: NodeKeys, name: str, damage: bytes) -> None:
    """A damaged or half-written file is an error that names it, also when another key of the node is missing."""
    other = next(each for each in KEY_FILES if each != name)
    (directory / name).write_bytes(damage)
    (directory / other).unlink()

    with pytest.raises(UnreadableKeyFile, match=rf"2/{name}"):
        ensured(directory)
    assert damage == (directory / name).read_bytes()
    assert not (directory / other).exists()


def test_what_a_killed_writer_left_is_no_key(directory: Path, made: NodeKeys) -> None:
    """The half of a file that a killed start has left beside it does not count, and goes."""
    whole = (directory / "evm_key.json").read_bytes()
    (directory / "evm_key.json").unlink()
    (directory / ".evm_key.json.new").write_bytes(whole[:100])
    again = ensured(directory)

    assert Source.MADE is again.sources["evm_key.json"]
    assert set(KEY_FILES) == set(contents(directory))


def test_files_of_the_existing_system_are_taken_as_they_are(directory: Path) -> None:
    """Files as the existing system writes them, of its raw keys and on many lines, stay as they are byte by byte."""
    raw = raw_keys.read(VECTORS / "keys-raw.json")
    assert raw is not None
    directory.mkdir(parents=True)
    made: tuple[Key, ...] = (raw.evm, raw.p2p, raw.ocr)
    for name, key in zip(KEY_FILES, made, strict=True):
        (directory / name).write_text(json.dumps(key.export(PASSWORD, 2), indent=2))
    before = contents(directory)
    keys = ensured(directory)

    assert {Source.FILE} == set(keys.sources.values())
    assert VECTOR_IDS == ids(keys)
    assert (before, before["evm_key.json"].decode()) == (contents(directory), keys.evm_export)


def test_missing_files_are_made_of_the_raw_keys(directory: Path) -> None:
    """Of `keys-raw.json` come the very keys that the existing system makes of it, the bundle's id included."""
    directory.mkdir(parents=True)
    shutil.copy(VECTORS / "keys-raw.json", directory)
    keys, again = ensured(directory), ensured(directory)

    assert (VECTOR_IDS, VECTOR_IDS) == (ids(keys), ids(again))
    assert ({Source.RAW}, {Source.FILE}) == (set(keys.sources.values()), set(again.sources.values()))


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (b"{", "is damaged: not JSON"),
        (b"[]", r"ocr\.ecdsaDHex: allowed: 64 hex"),
        (b'{"ocr":{"ecdsaDHex":"' + b"0" * 64 + b'"}}', r"ocr\.ecdsaDHex: not a secp256k1 private key"),
    ],
)
def test_damaged_raw_keys_are_named(directory: Path, damage: bytes, named: str) -> None:
    """Raw keys that cannot be read are an error without a part of the file, since a new key would be another oracle."""
    directory.mkdir(parents=True)
    (directory / "keys-raw.json").write_bytes(damage)

    with pytest.raises(UnreadableKeyFile, match=rf"2/keys-raw\.json: {named}"):
        ensured(directory)
    assert ["keys-raw.json"] == list(contents(directory))


def test_an_interrupted_takeover_goes_on(directory: Path, made: NodeKeys, tmp_path: Path) -> None:
    """What an earlier version kept elsewhere is taken file by file; what is in place already stays."""
    earlier = tmp_path / "earlier"
    shutil.copytree(directory, earlier)
    (directory / "p2p_key.json").unlink()
    (directory / "ocr_key.json").unlink()
    again = ensured(directory, earlier=[tmp_path / "none", earlier])

    assert ids(made) == ids(again)
    assert [Source.FILE, Source.EARLIER, Source.EARLIER] == [again.sources[name] for name in KEY_FILES]
    assert contents(earlier) == contents(directory)


def test_files_that_others_could_read_are_closed(directory: Path, made: NodeKeys) -> None:
    """A file that others can read is closed and told of, and so is its directory; the next time there is nothing."""
    directory.chmod(0o755)
    (directory / "p2p_key.json").chmod(0o644)
    again = ensured(directory)

    assert (directory / "p2p_key.json",) == again.opened
    assert {0o600} == {path.stat().st_mode & 0o777 for path in directory.iterdir()}
    assert 0o700 == directory.stat().st_mode & 0o777
    assert () == ensured(directory).opened


def test_many_starts_at_once_make_one_identity(directory: Path) -> None:
    """Whoever comes while keys are made waits for them and takes them."""
    found: list[NodeKeys] = []
    threads = [threading.Thread(target=lambda: found.append(ensured(directory))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 8 == len(found)
    assert 1 == len({ids(keys) for keys in found})
    assert 3 == sum(keys.created for keys in found)
