"""What a backup holds: the configuration's file, and every file below `spSecretsDir`."""

import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import orjson

from chainlink.identities.key_files import EVM_FILE, OCR_FILE, P2P_FILE
from cli.backup.sealed_file import UnreadableBackup
from cli.errors import CliError
from cli.keys.deployment import Deployment

_FORMAT = 1
_MANIFEST = "manifest.json"
_CONFIGURATION = "configuration.json"
_SECRETS = PurePosixPath("secrets")
_MOST_BYTES = 64 * 1024 * 1024
_TEMPORARY = ".new"  # the half of a file that is being written


@dataclass(frozen=True, slots=True)
class Contents:
    """
    Hold what a backup holds.

    `secrets` has the bytes of each file by its path below `secrets_dir`, both paths as they were where it was made.
    """

    made_at: datetime
    config_path: Path
    secrets_dir: Path
    configuration: bytes = field(repr=False)
    secrets: Mapping[PurePosixPath, bytes] = field(repr=False)

    def archive(self) -> bytes:
        """Return all of it as an uncompressed tar file."""
        manifest = {
            "format": _FORMAT,
            "madeAt": self.made_at.astimezone(UTC).isoformat(),
            "configPath": str(self.config_path),
            "secretsDir": str(self.secrets_dir),
        }
        files = {_MANIFEST: orjson.dumps(manifest), _CONFIGURATION: self.configuration}
        files |= {str(_SECRETS / path): content for path, content in self.secrets.items()}
        output = io.BytesIO()
        with tarfile.open(fileobj=output, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for name, content in files.items():
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode, entry.mtime = len(content), 0o600, int(self.made_at.timestamp())
                archive.addfile(entry, io.BytesIO(content))
        return output.getvalue()


def collect(config: Path, ours: Deployment, now: datetime) -> Contents:
    """
    Read everything that cannot be made again.

    Raises:
        CliError: when a node has not all its keys, since a backup without them is none, or a file cannot be read.
    """
    missing = [str(path) for path in _key_files(ours) if not path.is_file()]
    if missing:
        shown = ", ".join(missing[:3]) + (" …" if len(missing) > 3 else "")
        raise CliError(f"there is no {shown}", "the first start makes the nodes' keys; a backup without them is none")
    try:
        files = {path: path.read_bytes() for path in _files(ours.secrets.path)}
        configuration = config.read_bytes()
    except OSError as error:
        raise CliError(f"{error.filename} cannot be read: {error.strerror}") from error
    secrets = {PurePosixPath(path.relative_to(ours.secrets.path)): content for path, content in files.items()}
    return Contents(now, config.absolute(), ours.secrets.path, configuration, secrets)


def read(archive: bytes) -> Contents:
    """Return what an archive holds; raises UnreadableBackup if it is none of ours."""
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as opened:
            files = {entry.name: _content(opened, entry) for entry in opened}
        manifest: dict[str, Any] = orjson.loads(files.pop(_MANIFEST))
        if manifest["format"] != _FORMAT:
            raise UnreadableBackup(f"the backup's format: found {manifest['format']!r}, allowed: {_FORMAT}")
        made_at = datetime.fromisoformat(manifest["madeAt"])
        config_path, secrets_dir = Path(manifest["configPath"]), Path(manifest["secretsDir"])
        configuration = files.pop(_CONFIGURATION)
        secrets = {_below_secrets(name): content for name, content in files.items()}
    except (tarfile.TarError, orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise UnreadableBackup(f"the backup's contents are not what a backup holds ({type(error).__name__})") from error
    return Contents(made_at, config_path, secrets_dir, configuration, secrets)


def _key_files(ours: Deployment) -> list[Path]:
    return [
        directory / name
        for index, directory in ours.directories.items()
        for name in (EVM_FILE, P2P_FILE, *([OCR_FILE] if index > ours.bootstrap_nodes else []))
    ]


def _files(directory: Path) -> list[Path]:
    found = [path for path in sorted(directory.rglob("*")) if path.is_file() and path.suffix != _TEMPORARY]
    size = sum(path.stat().st_size for path in found)
    if size > _MOST_BYTES:
        raise CliError(
            f"solution.spSecretsDir: {directory} holds {size} bytes, allowed: {_MOST_BYTES}",
            "it is for secrets; move what else is there elsewhere",
        )
    return found


def _content(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(entry) if entry.isreg() else None
    if file is None:
        raise ValueError(entry.name)
    return file.read()


def _below_secrets(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or path.parts[:1] != _SECRETS.parts or len(path.parts) < 2:
        raise ValueError(name)
    return path.relative_to(_SECRETS)
