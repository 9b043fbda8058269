"""`feedmesh restore`: put a backup's files where they were, all or none."""

import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from chainlink.identities.directory_lock import sole_use
from cli.backup import contents, sealed_file
from cli.backup.contents import Contents
from cli.errors import CliError
from cli.json_output import print_json
from cli.keys import passwords
from meshkit import atomic_file, private_directory
from meshkit.paths import SecretsDir

_MOST_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Restoration:
    """Hold what is to be written where: `missing` is new, `differing` takes the place of other contents."""

    secrets: SecretsDir
    config: Path
    missing: Mapping[Path, bytes]
    differing: Mapping[Path, bytes]


def restore(
    file: Path,
    config: Path | None,
    secrets_dir: Path | None,
    password_file: Path | None,
    *,
    force: bool,
    as_json: bool,
) -> None:
    """
    Write the files of a backup.

    What is there with other contents is left, and nothing is written, unless `force` puts it aside. Raises CliError.
    """
    try:
        sealed = file.read_bytes()
    except OSError as error:
        raise CliError(f"{file} cannot be read: {error.strerror}") from error
    found = contents.read(sealed_file.unseal(sealed, passwords.read(password_file, "the backup")))
    secrets = SecretsDir((secrets_dir or found.secrets_dir).absolute())
    target = (config or found.config_path).absolute()
    try:
        private_directory.make(secrets.nodes)
        with sole_use(secrets.nodes):
            todo = _compare(found, secrets, target)
            if todo.differing and not force:
                raise CliError(_conflict(todo.differing), "--force puts them aside and restores the backup's")
            kept = write(todo, datetime.now(UTC))
    except OSError as error:
        raise CliError(f"{error.filename} cannot be written: {error.strerror}") from error
    _say(found, todo, kept, as_json)


def write(todo: Restoration, now: datetime) -> Path | None:
    """
    Write the files and return where those are that had other contents.

    Everything is on the disk before the first file takes its place, and the configuration comes last. If it is
    interrupted, the same again ends it.
    """
    mark = f"{now.astimezone(UTC):%Y%m%dT%H%M%S%fZ}"
    staged = todo.secrets.path / f".restoring-{mark}"
    kept = todo.secrets.path / f"replaced-{mark}"
    wanted = {**todo.missing, **todo.differing}
    try:
        places = {path: staged / str(number) for number, path in enumerate(wanted) if path != todo.config}
        private_directory.make(staged)
        for path, place in places.items():
            atomic_file.create(place, wanted[path], private_directory.FILE_MODE)
        for path in todo.differing:
            _keep(path, kept / ("configuration.json" if path == todo.config else path.relative_to(todo.secrets.path)))
        for path, place in places.items():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            place.replace(path)
            atomic_file.sync_directory(path.parent)
    finally:
        # What is left of it holds private keys.
        with suppress(FileNotFoundError):
            shutil.rmtree(staged)
    if todo.config in wanted:
        todo.config.parent.mkdir(parents=True, exist_ok=True)
        atomic_file.replace(todo.config, wanted[todo.config], private_directory.FILE_MODE)
    return kept if todo.differing else None


def _compare(found: Contents, secrets: SecretsDir, config: Path) -> Restoration:
    wanted = {secrets.path / path: content for path, content in found.secrets.items()} | {config: found.configuration}
    missing = {path: content for path, content in wanted.items() if not path.exists()}
    differing = {
        path: content for path, content in wanted.items() if path not in missing and path.read_bytes() != content
    }
    return Restoration(secrets, config, missing, differing)


def _conflict(differing: Mapping[Path, bytes]) -> str:
    shown = ", ".join(str(path) for path in list(differing)[:_MOST_SHOWN])
    more = f" and {len(differing) - _MOST_SHOWN} more" if len(differing) > _MOST_SHOWN else ""
    return f"other contents than the backup's: {shown}{more}; nothing was written"


def _keep(path: Path, place: Path) -> None:
    private_directory.make(place.parent)
    atomic_file.create(place, path.read_bytes(), private_directory.FILE_MODE)


def _say(found: Contents, todo: Restoration, kept: Path | None, as_json: bool) -> None:
    written = len(todo.missing) + len(todo.differing)
    if as_json:
        print_json(
            {
                "made_at": found.made_at.isoformat(),
                "config": str(todo.config),
                "secrets_dir": str(todo.secrets.path),
                "written": written,
                "kept": str(kept or ""),
            }
        )
        return
    print(f"the backup of {found.made_at:%Y-%m-%d %H:%M} UTC: {written} files written, all others were there already")
    if kept is not None:
        print(f"what had other contents is in {kept}")
    if todo.secrets.path != found.secrets_dir:
        print(f"the configuration says spSecretsDir {found.secrets_dir}; have it say {todo.secrets.path}")
    print(f"feedmesh up --config {todo.config}")
