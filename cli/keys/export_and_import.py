"""`feedmesh keys export` and `import`: key files that other Chainlink nodes and Ethereum tools read and write."""

from datetime import UTC, datetime
from pathlib import Path

import orjson

from chainlink.errors import KeyUnreadable, NoSuchKey
from chainlink.identities import key_changes, key_files
from chainlink.identities.key_files import KEY_FILES, OCR2_FILE
from cli.errors import CliError
from cli.json_output import print_json
from cli.keys import deployment, passwords
from meshkit import atomic_file, private_directory

_LEAST_PASSWORD = 16  # as nodes ask for


def export(config: Path, node: int, out: Path, password_file: Path | None, as_json: bool) -> None:
    """Write a node's keys, encrypted with another password, into a new directory that only its owner can enter."""
    ours = deployment.of(config)
    directory = ours.directory(node)
    password = passwords.read(password_file, "the exported keys", twice=True, least_length=_LEAST_PASSWORD)
    keys = {}
    for name in (*KEY_FILES, OCR2_FILE):
        found = key_files.read(directory / name, key_changes.KINDS[name], ours.keystore_password)
        if found is not None:
            keys[name] = found[0]
    if not keys:
        raise NoSuchKey(directory)
    try:
        private_directory.make(out)
        for name, key in keys.items():
            content = orjson.dumps(key.export(password, ours.scrypt_n), option=orjson.OPT_INDENT_2)
            atomic_file.create(out / name, content, private_directory.FILE_MODE)
    except FileExistsError as error:
        raise CliError(f"{error.filename2 or error.filename} exists", "export into another directory") from error
    except OSError as error:
        raise CliError(f"--out: {out} cannot be written: {error.strerror}") from error
    if as_json:
        print_json({"directory": str(out), "keys": {name: key.id for name, key in keys.items()}})
        return
    for name, key in keys.items():
        print(f"{out / name}  {key.id}")


def take(config: Path, node: int, files: list[Path], password_file: Path | None, *, force: bool, as_json: bool) -> None:
    """Make the keys of exports the node's own. Raises CliError, which names the file, for one that is none."""
    ours = deployment.of(config)
    directory = ours.directory(node)
    password = ours.keystore_password
    if password_file is not None:
        password = passwords.read(password_file, "the exported keys")
    made: list[key_changes.Change] = []
    with ours.sole_use():
        texts = {file: _read(file) for file in files}
        for file, text in texts.items():
            # Everything is looked at before anything is changed.
            _checked(file, text, password)
        for text in texts.values():
            at = datetime.now(UTC)
            put = key_changes.put(directory, text, password, ours.keystore_password, ours.scrypt_n, at, force=force)
            made.append(put)
    if as_json:
        print_json([{"file": str(directory / each.name), "key": each.new_id, "before": each.old_id} for each in made])
        return
    for each in made:
        print(f"{directory / each.name}  {each.new_id}  {_words(each)}")


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise CliError(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CliError(f"{file} is no export of a key: not UTF-8 text") from error


def _checked(file: Path, text: str, password: str) -> None:
    try:
        key_changes.KINDS[key_changes.file_name_of(text)].read(text, password)
    except KeyUnreadable as error:
        raise CliError(f"{file}: {error}", "--password-file: the password it was exported with") from error


def _words(change: key_changes.Change) -> str:
    if change.old_id == change.new_id:
        return "was there already"
    return (
        f"took the place of {change.old_id or 'a file that cannot be read'}, kept in {change.kept}"
        if change.kept
        else "new"
    )
