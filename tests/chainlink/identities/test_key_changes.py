"""Keys that take the place of others."""

from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from chainlink.errors import AnotherKey, KeyUnreadable, NoSuchKey, UnreadableKeyFile
from chainlink.identities import key_changes, key_files, public_keys, raw_keys
from chainlink.identities.key_changes import Change
from chainlink.identities.key_files import KEY_FILES, Key, NodeKeys
from chainlink.keys.evm import EvmKey
from chainlink.keys.ocr1 import OcrKeyBundle
from chainlink.keys.p2p import P2pKey

PASSWORD = "a-keystore-password-of-30-char"
OTHER = "the-password-of-an-export"
AT = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)


@pytest.fixture(name="directory")
def _directory(tmp_path: Path) -> Path:
    return tmp_path / "cl-secrets" / "2"


def made(directory: Path) -> NodeKeys:
    """Make or read the node's keys."""
    return key_files.ensure(directory, PASSWORD, 2, with_ocr=True)


def put(directory: Path, text: str, password: str = OTHER, *, force: bool = False) -> Change:
    """Import an export."""
    return key_changes.put(directory, text, password, PASSWORD, 2, AT, force=force)


def exported(key: Key) -> str:
    """Export a key with a password of its own."""
    return orjson.dumps(key.export(OTHER, 2)).decode()


@pytest.mark.parametrize(
    ("key", "name"),
    [
        (EvmKey.generate(), "evm_key.json"),
        (P2pKey.generate(), "p2p_key.json"),
        (OcrKeyBundle.generate(), "ocr_key.json"),
    ],
    ids=KEY_FILES,
)
def test_an_export_becomes_a_nodes_own(directory: Path, key: Key, name: str) -> None:
    """Whatever its kind, it is encrypted with the keystore's password from then on; a second time changes nothing."""
    first, second = put(directory, exported(key)), put(directory, exported(key))
    found = key_files.read(directory / name, key_changes.KINDS[name], PASSWORD)

    assert (Change(name, "", key.id), Change(name, key.id, key.id)) == (first, second)
    assert found is not None
    assert key == found[0]
    assert 0o600 == (directory / name).stat().st_mode & 0o777


def test_with_the_keystores_password_the_bytes_are_kept(directory: Path) -> None:
    """An export that needs not be encrypted anew becomes the file as it is."""
    text = orjson.dumps(EvmKey.generate().export(PASSWORD, 2), option=orjson.OPT_INDENT_2).decode()
    put(directory, text, PASSWORD)

    assert text == (directory / "evm_key.json").read_text()


def test_another_key_is_put_aside_only_by_force(directory: Path) -> None:
    """Without force the node keeps its key; with it the old file is kept, and its addresses do not count as ours."""
    before, key = made(directory), P2pKey.generate()
    evm = EvmKey.generate()
    with pytest.raises(AnotherKey, match=rf"2/p2p_key\.json holds another key: {before.p2p.id}; given is {key.id}"):
        put(directory, exported(key))
    assert before.p2p_export == (directory / "p2p_key.json").read_text()
    change = put(directory, exported(evm), force=True)

    assert (before.evm.id, evm.id) == (change.old_id, change.new_id)
    assert change.kept is not None
    assert before.evm_export == change.kept.read_text()
    assert (0o600, 0o700) == tuple(path.stat().st_mode & 0o777 for path in (change.kept, change.kept.parent))
    assert before.evm.address.lower() not in public_keys.addresses(directory.parent)


def test_a_damaged_file_is_put_aside_only_by_force(directory: Path) -> None:
    """A file that cannot be read may still be mended, so it is not written over either."""
    directory.mkdir(parents=True)
    (directory / "evm_key.json").write_text("{")
    text = exported(EvmKey.generate())
    with pytest.raises(UnreadableKeyFile, match=r"evm_key\.json"):
        put(directory, text)
    kept = put(directory, text, force=True).kept

    assert kept is not None
    assert "{" == kept.read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "not a JSON object"),
        ("{}", "keyType: found None"),
        ('{"keyType": "CSA"}', "keyType: found 'CSA', allowed: 'P2P', 'OCR', 'OCR2'"),
        ('{"keyType": ["P2P"]}', "keyType: found"),
        ('{"version": 3}', "crypto"),
    ],
)
def test_what_is_no_export_is_refused(directory: Path, text: str, message: str) -> None:
    """A text of another kind is an error that says what was found, and nothing is written."""
    with pytest.raises(KeyUnreadable, match=message):
        put(directory, text)
    assert not directory.exists()


def test_rotated_keys_are_retired(directory: Path) -> None:
    """The new keys are the node's, the old ones are kept, and their addresses still count as ours."""
    before = made(directory)
    (directory / raw_keys.RAW_FILE).write_text("{}")
    rotated = key_changes.rotate(directory, ("evm_key.json", "ocr_key.json"), PASSWORD, 2, AT)
    after = made(directory)
    assert before.ocr is not None
    assert after.ocr is not None

    assert [(before.evm.id, after.evm.id), (before.ocr.id, after.ocr.id)] == [(e.old_id, e.new_id) for e in rotated]
    assert before.p2p == after.p2p
    assert before.evm != after.evm
    kept = {path.name: path.read_text() for path in (directory / "retired").iterdir()}
    assert {
        "20260102T030405000678Z-evm_key.json": before.evm_export,
        "20260102T030405000678Z-ocr_key.json": before.ocr_export,
        # Of these a later start would make the old keys again.
        "20260102T030405000678Z-keys-raw.json": "{}",
    } == kept
    signers = {before.ocr.keys.signing_address.lower(), after.ocr.keys.signing_address.lower()}
    assert {before.evm.address.lower(), after.evm.address.lower()} | signers == public_keys.addresses(directory.parent)


def test_what_cannot_be_rotated_changes_nothing(directory: Path) -> None:
    """If one of the keys is missing or damaged, none of them is rotated."""
    before = made(directory)
    (directory / "ocr_key.json").unlink()
    with pytest.raises(NoSuchKey, match=r"2/ocr_key\.json"):
        key_changes.rotate(directory, ("evm_key.json", "ocr_key.json"), PASSWORD, 2, AT)
    (directory / "ocr_key.json").write_text("{}")
    with pytest.raises(UnreadableKeyFile, match=r"2/ocr_key\.json"):
        key_changes.rotate(directory, ("evm_key.json", "ocr_key.json"), PASSWORD, 2, AT)

    assert before.evm_export == (directory / "evm_key.json").read_text()
    assert not (directory / "retired").exists()
