"""What a backup holds."""

import io
import tarfile
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import pytest

from cli.backup import contents
from cli.backup.sealed_file import UnreadableBackup
from cli.errors import CliError
from cli.keys import deployment

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def archive(files: dict[str, bytes], kind: bytes = tarfile.REGTYPE) -> bytes:
    """Make a tar file."""
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as made:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.type = len(content), kind
            made.addfile(entry, io.BytesIO(content))
    return output.getvalue()


def test_everything_comes_back(config: Path, nodes: Path) -> None:
    """The configuration and every file below the secrets, in whatever directory, are read back byte by byte."""
    (nodes / "2" / "retired").mkdir()
    (nodes / "2" / "retired" / "evm_key.json").write_text("old")
    (nodes / "contracts.json").write_text("{}")
    (nodes.parent / "pg-password").write_bytes(b"\xff\x00")
    (nodes / "2" / ".evm_key.json.new").write_text("half")
    found = contents.collect(config, deployment.of(config), NOW)

    assert found == contents.read(found.archive())
    assert config.read_bytes() == found.configuration
    others = {"cl-secrets/contracts.json", "cl-secrets/2/retired/evm_key.json", "pg-password"}
    assert 14 + 3 == len(found.secrets)
    assert others <= {str(path) for path in found.secrets}
    assert b"\xff\x00" == found.secrets[PurePosixPath("pg-password")]
    assert (config, nodes.parent, NOW) == (found.config_path, found.secrets_dir, found.made_at)


def test_a_missing_key_is_no_backup(config: Path, nodes: Path) -> None:
    """If a node has not all its keys the backup is refused, with the file."""
    (nodes / "4" / "ocr_key.json").unlink()
    with pytest.raises(CliError, match=r"there is no .*4/ocr_key\.json"):
        contents.collect(config, deployment.of(config), NOW)


@pytest.mark.parametrize("name", ["/etc/x", "secrets/../../x", "../x", "x", "secrets", "secrets/../x"])
def test_a_path_that_leads_elsewhere_is_refused(name: str) -> None:
    """Whoever knows the password still cannot have a file written where a backup has none."""
    manifest = b'{"format": 1, "madeAt": "2026-01-01", "configPath": "/c", "secretsDir": "/s"}'
    files = {"manifest.json": manifest, "configuration.json": b"{}"}
    assert {} == contents.read(archive(files)).secrets
    with pytest.raises(UnreadableBackup):
        contents.read(archive(files | {name: b""}))
    with pytest.raises(UnreadableBackup):
        contents.read(archive(files, tarfile.SYMTYPE))


@pytest.mark.parametrize("made", [b"", b"x" * 1024, archive({}), archive({"manifest.json": b"[]"})])
def test_what_is_no_archive_of_ours_is_refused(made: bytes) -> None:
    """Contents of another form are one error."""
    with pytest.raises(UnreadableBackup):
        contents.read(made)
