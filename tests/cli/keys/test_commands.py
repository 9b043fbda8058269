"""`feedmesh keys …` as a person calls it."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from chainlink.errors import AnotherKey, SecretsInUse, UnreadableKeyFile
from chainlink.identities import directory_lock, key_files, public_keys
from chainlink.keys.evm import EvmKey
from cli.app import app
from cli.errors import CliError, UsageError
from tests.cli.keys.conftest import KEYSTORE_PASSWORD


def feedmesh(*words: object) -> Result:
    """Call the command in this process; its error is raised."""
    return CliRunner().invoke(app, [*map(str, words)], catch_exceptions=False, standalone_mode=False)


def answer(*words: object) -> Any:
    """Return what the command answers with --json."""
    return json.loads(feedmesh(*words, "--json").output)


def test_all_nodes_are_listed(config: Path, nodes: Path) -> None:
    """Every node's public parts and role are there, of one that does not run any more too, and nothing private."""
    (nodes / "5").rename(nodes / "6")
    listed = answer("keys", "list", "--config", config)

    assert str(nodes) == listed["directory"]
    assert {1: "bootstrap", 2: "oracle", 3: "oracle", 4: "oracle", 5: "oracle", 6: "not running"} == {
        node["index"]: node["role"] for node in listed["nodes"]
    }
    assert ["", public_keys.read(nodes / "6", 6).peer_id] == [node["peer_id"] for node in listed["nodes"][-2:]]
    text = feedmesh("keys", "list", "--config", config).output
    assert all(public_keys.read(nodes / str(index), index).transmitter_address in text for index in (1, 2, 3, 4, 6))


def test_one_nodes_public_parts_are_shown(config: Path, nodes: Path) -> None:
    """What is shown is what the files say, in words and as JSON."""
    found = public_keys.read(nodes / "3", 3)
    shown = answer("keys", "show", 3, "--config", config)
    lines = feedmesh("keys", "show", 3, "--config", config).output.splitlines()

    assert (found.signing_address, found.bundle_id) == (shown["signing_address"], shown["bundle_id"])
    assert f"{'signer':<20} {found.signing_address}" in lines


@pytest.mark.parametrize("node", [0, 6, -1])
@pytest.mark.parametrize("verb", ["show", "rotate"])
def test_a_node_that_is_none_is_refused(config: Path, verb: str, node: int) -> None:
    """A number that no node has is an error that says which there are."""
    more = ["--kind", "evm"] if verb == "rotate" else []
    with pytest.raises(UsageError, match=rf"NODE: found {node}, allowed: 1 to 5"):
        feedmesh("keys", verb, "--config", config, *more, "--", node)


def test_exported_keys_come_back(config: Path, nodes: Path, password_file: Path, tmp_path: Path) -> None:
    """What was exported is encrypted with its own password, closed to others, and imports as the same identity."""
    out = tmp_path / "out"
    before = {path.name: path.read_bytes() for path in (nodes / "2").iterdir()}
    exported = answer("keys", "export", 2, "--config", config, "--out", out, "--password-file", password_file)
    assert set(before) == set(exported["keys"]) == {path.name for path in out.iterdir()}
    assert {0o600, 0o700} == {path.stat().st_mode & 0o777 for path in (out, *out.iterdir())}
    with pytest.raises(UnreadableKeyFile, match="the password is wrong"):
        key_files.read(out / "evm_key.json", EvmKey, KEYSTORE_PASSWORD)
    shutil.rmtree(nodes / "2")
    files = sorted(out.iterdir())
    taken = answer("keys", "import", 2, *files, "--config", config, "--password-file", password_file)
    keys = key_files.ensure(nodes / "2", KEYSTORE_PASSWORD, 2, with_ocr=True)

    assert exported["keys"] == {Path(each["file"]).name: each["key"] for each in taken}
    assert 0 == keys.created


def test_an_export_overwrites_nothing(config: Path, password_file: Path, tmp_path: Path) -> None:
    """A directory that has such files is refused, and so is one that cannot be made."""
    words = ("keys", "export", 2, "--config", config, "--password-file", password_file, "--out")
    feedmesh(*words, tmp_path / "out")
    with pytest.raises(CliError, match=r"evm_key\.json exists"):
        feedmesh(*words, tmp_path / "out")
    with pytest.raises(CliError, match="--out"):
        feedmesh(*words, config / "out")


def test_an_import_takes_all_files_or_none(config: Path, nodes: Path, password_file: Path, tmp_path: Path) -> None:
    """If one of several files is none, or has another password, no key is changed; the file is named."""
    feedmesh("keys", "export", 2, "--config", config, "--out", tmp_path / "out", "--password-file", password_file)
    shutil.rmtree(nodes / "2")
    bad = tmp_path / "bad.json"
    bad.write_text("{}")
    good = tmp_path / "out" / "evm_key.json"
    with pytest.raises(CliError, match=r"bad\.json: keyType"):
        feedmesh("keys", "import", 2, good, bad, "--config", config, "--password-file", password_file)
    with pytest.raises(CliError, match=r"evm_key\.json: the password is wrong"):
        feedmesh("keys", "import", 2, good, "--config", config)

    assert not (nodes / "2").exists()


def test_another_nodes_key_is_not_taken_without_force(config: Path, nodes: Path) -> None:
    """A node keeps the key it has; with --force the old one is kept aside."""
    words = ("keys", "import", 3, nodes / "2" / "evm_key.json", "--config", config)
    with pytest.raises(AnotherKey):
        feedmesh(*words)
    assert "kept in" in feedmesh(*words, "--force").output


def test_verify_fails_with_the_fault(config: Path, nodes: Path) -> None:
    """All whole ends with 0, and with 1 and the file's fault if one is damaged."""
    whole = feedmesh("keys", "verify", "--config", config)
    (nodes / "4" / "ocr_key.json").write_text("")
    faulty = feedmesh("keys", "verify", "--config", config)

    assert (0, "14 files, 0 with a fault") == (whole.return_value, whole.output.splitlines()[-1])
    assert (1, "14 files, 1 with a fault") == (faulty.return_value, faulty.output.splitlines()[-1])
    assert "4/ocr_key.json  is empty" in faulty.output


def test_a_rotation_says_what_follows(config: Path, nodes: Path) -> None:
    """New and old id, where the old key is, and what happens to the contracts are said."""
    before = public_keys.read(nodes / "2", 2)
    said = answer("keys", "rotate", 2, "--kind", "ocr", "--kind", "evm", "--config", config)
    after = public_keys.read(nodes / "2", 2)

    assert [(before.bundle_id, after.bundle_id), (before.transmitter_address, after.transmitter_address)] == [
        (each["before"], each["key"]) for each in said["rotated"]
    ]
    assert before.peer_id == after.peer_id
    assert "setConfig" in said["follows"][-1]
    with pytest.raises(UsageError, match="--kind: found 'ocr', allowed: evm, p2p"):
        feedmesh("keys", "rotate", 1, "--kind", "ocr", "--config", config)


def test_keys_of_a_running_mesh_are_not_changed(config: Path, nodes: Path, password_file: Path) -> None:
    """While a mesh has the keys they can be looked at, but neither rotated nor imported."""
    with directory_lock.sole_use(nodes):
        feedmesh("keys", "list", "--config", config)
        for words in (("rotate", 2, "--kind", "evm"), ("import", 2, nodes / "2" / "evm_key.json")):
            with pytest.raises(SecretsInUse, match="stop it first"):
                feedmesh("keys", *words, "--config", config)


def test_nothing_private_is_ever_written_to_the_terminal(config: Path, nodes: Path, password_file: Path) -> None:
    """No command writes a private key, a password or what an export encrypts, in words or as JSON."""
    keys = key_files.ensure(nodes / "2", KEYSTORE_PASSWORD, 2, with_ocr=True)
    assert keys.ocr is not None
    private = {
        KEYSTORE_PASSWORD,
        password_file.read_text().strip(),
        *(key.hex() for key in (keys.evm.private_key, keys.p2p.seed, keys.ocr.keys.signing, keys.ocr.keys.offchain)),
        json.loads(keys.evm_export)["crypto"]["ciphertext"],
    }
    out = str(config.with_name("out"))
    for words in (
        ("list",),
        ("show", "2"),
        ("verify",),
        ("export", "2", "--out", out, "--password-file", str(password_file)),
        ("import", "2", f"{out}/evm_key.json", "--password-file", str(password_file)),
        ("rotate", "2", "--kind", "p2p"),
    ):
        for more in ((), ("--json",)):
            if words[0] == "export":
                shutil.rmtree(out, ignore_errors=True)
            output = feedmesh("keys", *words, "--config", config, *more).output
            assert not [secret for secret in private if secret in output]


def test_a_password_that_cannot_be_had_is_named(config: Path, tmp_path: Path) -> None:
    """Without a terminal and without a file, with a missing file or a short password the error says so."""
    words = ("keys", "export", 2, "--config", config, "--out", tmp_path / "out")
    short = tmp_path / "short"
    short.write_text("short\n")
    with pytest.raises(CliError, match="--password-file"):
        feedmesh(*words)
    with pytest.raises(CliError, match="cannot be read"):
        feedmesh(*words, "--password-file", tmp_path / "none")
    with pytest.raises(UsageError, match="found 5 characters, allowed: 16 or more"):
        feedmesh(*words, "--password-file", short)
    assert not os.path.lexists(tmp_path / "out")
