"""`feedmesh backup` and `restore` as a person calls them."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chainlink.errors import SecretsInUse
from chainlink.identities import directory_lock, key_files
from cli.backup import restoring
from cli.backup.restoring import Restoration
from cli.backup.sealed_file import UnreadableBackup
from cli.errors import CliError
from meshkit import atomic_file
from meshkit.paths import SecretsDir
from tests.cli.keys.test_commands import answer, feedmesh


def files(root: Path) -> dict[str, bytes]:
    """Return all files by their paths."""
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.fixture(name="backup")
def _backup(config: Path, nodes: Path, password_file: Path) -> Path:
    """Give a backup of the deployment."""
    (nodes / "contracts.json").write_text('{"format": 2, "chains": {}}')
    path = config.with_name("backup")
    feedmesh("backup", path, "--config", config, "--password-file", password_file)
    return path


def restored(backup: Path, password_file: Path, *words: object) -> Any:
    """Restore the backup and return the answer."""
    return answer("restore", backup, "--password-file", password_file, *words)


def test_a_lost_deployment_comes_back(config: Path, nodes: Path, backup: Path, password_file: Path) -> None:
    """The configuration and all secrets are as before, byte by byte, and closed; the backup itself shows nothing."""
    before, configuration = files(nodes.parent), config.read_bytes()
    shutil.rmtree(nodes.parent)
    config.unlink()
    said = restored(backup, password_file)

    assert (before, configuration) == (files(nodes.parent), config.read_bytes())
    assert (16, "") == (said["written"], said["kept"])
    assert {0o600} == {path.stat().st_mode & 0o777 for path in (config, backup, *nodes.rglob("*.json"))}
    assert {0o700} == {path.stat().st_mode & 0o777 for path in (nodes, nodes / "2")}
    for secret in (json.loads(configuration)["solution"]["faucetPrivateKey"], "evm_key", "ciphertext"):
        assert secret.encode() not in backup.read_bytes()


def test_what_is_there_already_is_left(nodes: Path, backup: Path, password_file: Path) -> None:
    """Restoring onto the same files writes only what is missing."""
    (nodes / "3" / "p2p_key.json").unlink()
    kept = (nodes / "3" / "evm_key.json").stat()

    assert (1, "") == tuple(restored(backup, password_file)[name] for name in ("written", "kept"))
    assert kept.st_ino == (nodes / "3" / "evm_key.json").stat().st_ino
    assert 0 == restored(backup, password_file)["written"]


def test_other_identities_are_put_aside_only_by_force(
    config: Path, nodes: Path, backup: Path, password_file: Path
) -> None:
    """Keys and a configuration of others are named and left; with --force they are kept elsewhere."""
    ours = files(nodes.parent)
    shutil.rmtree(nodes / "2")
    key_files.ensure(nodes / "2", "another-keystore-password", 2, with_ocr=True)
    config.write_text("{}")
    theirs = files(nodes.parent)
    with pytest.raises(CliError, match=r"2/evm_key\.json.*nothing was written \(--force"):
        restored(backup, password_file)
    assert (theirs, "{}") == (files(nodes.parent), config.read_text())
    kept = Path(restored(backup, password_file, "--force")["kept"])

    assert ours == {name: content for name, content in files(nodes.parent).items() if not name.startswith("replaced-")}
    assert {"configuration.json", *(f"cl-secrets/2/{name}" for name in key_files.KEY_FILES)} == set(files(kept))
    assert theirs["cl-secrets/2/evm_key.json"] == files(kept)["cl-secrets/2/evm_key.json"]


def test_it_may_be_restored_elsewhere(backup: Path, password_file: Path, tmp_path: Path) -> None:
    """Other places for the configuration and the secrets can be given; the text says what the configuration says."""
    words = ("--config", tmp_path / "new" / "c.json", "--secrets-dir", tmp_path / "new" / "secrets")
    text = feedmesh("restore", backup, "--password-file", password_file, *words).output

    assert f"have it say {tmp_path / 'new' / 'secrets'}" in text
    assert (tmp_path / "new" / "secrets" / "cl-secrets" / "5" / "ocr_key.json").exists()
    assert (tmp_path / "new" / "c.json").exists()


def test_a_file_that_cannot_be_trusted_restores_nothing(
    config: Path, nodes: Path, backup: Path, password_file: Path, tmp_path: Path
) -> None:
    """A wrong password, a changed, a cut off and a missing file are one error each, and nothing is written."""
    shutil.rmtree(nodes.parent)
    config.unlink()
    whole = backup.read_bytes()
    other = tmp_path / "other-password"
    other.write_text("another password\n")
    with pytest.raises(UnreadableBackup, match="the password is wrong"):
        restored(backup, other)
    for damaged in (
        whole[:-1],
        whole[: len(whole) // 2],
        whole[:-100] + b"x" + whole[-99:],
        b"",
        b"feedmesh-backup 2\n",
    ):
        backup.write_bytes(damaged)
        with pytest.raises(UnreadableBackup):
            restored(backup, password_file)
    with pytest.raises(CliError, match="cannot be read"):
        restored(tmp_path / "none", password_file)

    assert not nodes.parent.exists()
    assert not config.exists()


def test_a_running_meshs_keys_are_not_restored(nodes: Path, backup: Path, password_file: Path) -> None:
    """While a mesh has the keys nothing is restored; a backup can be made."""
    with directory_lock.sole_use(nodes):
        with pytest.raises(SecretsInUse):
            restored(backup, password_file)
        config = nodes.parent.with_name("configuration.json")
        feedmesh("backup", backup.with_name("second"), "--config", config, "--password-file", password_file)


def test_a_full_disk_leaves_all_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If one file cannot be written none has taken its place, and nothing is left of the others."""
    secrets = SecretsDir(tmp_path / "secrets")
    old, new = secrets.node(2) / "evm_key.json", secrets.node(2) / "p2p_key.json"
    old.parent.mkdir(parents=True)
    old.write_text("old")
    todo = Restoration(secrets, tmp_path / "c.json", {new: b"new", tmp_path / "c.json": b"{}"}, {old: b"new"})
    written: list[Path] = []

    def create(path: Path, content: bytes, mode: int) -> None:
        if written:
            raise OSError(28, "No space left on device", str(path))
        written.append(path)
        path.write_bytes(content)
        path.chmod(mode)

    with monkeypatch.context() as patched:
        patched.setattr(atomic_file, "create", create)
        with pytest.raises(OSError, match="No space left"):
            restoring.write(todo, datetime(2026, 1, 1, tzinfo=UTC))

    assert {"cl-secrets/2/evm_key.json": b"old"} == files(secrets.path)
    assert not (tmp_path / "c.json").exists()
    restoring.write(todo, datetime(2026, 1, 1, tzinfo=UTC))
    assert ("new", "new", "{}") == (old.read_text(), new.read_text(), (tmp_path / "c.json").read_text())


def test_a_backup_overwrites_nothing(config: Path, backup: Path, password_file: Path) -> None:
    """A file that exists is refused and stays as it is; so is a short password."""
    before = backup.read_bytes()
    with pytest.raises(CliError, match="exists"):
        feedmesh("backup", backup, "--config", config, "--password-file", password_file)
    password_file.write_text("short\n")
    with pytest.raises(CliError, match="found 5 characters, allowed: 12 or more"):
        feedmesh("backup", backup.with_name("second"), "--config", config, "--password-file", password_file)

    assert before == backup.read_bytes()
    assert not backup.with_name("second").exists()
