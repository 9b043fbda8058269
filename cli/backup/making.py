"""`feedmesh backup`: everything that cannot be made again, in one encrypted file."""

from datetime import UTC, datetime
from pathlib import Path

from cli.backup import contents, sealed_file
from cli.errors import CliError
from cli.json_output import print_json
from cli.keys import deployment, passwords
from meshkit import atomic_file, private_directory

LEAST_PASSWORD = 12


def backup(file: Path, config: Path, password_file: Path | None, as_json: bool) -> None:
    """Write the backup; it overwrites nothing. Raises CliError, and then there is no file."""
    ours = deployment.of(config)
    found = contents.collect(config, ours, datetime.now(UTC))
    if file.exists():
        raise CliError(f"{file} exists", "name another file")
    password = passwords.read(password_file, "the backup", twice=True, least_length=LEAST_PASSWORD)
    try:
        atomic_file.create(file, sealed_file.seal(found.archive(), password), private_directory.FILE_MODE)
    except FileExistsError:
        raise CliError(f"{file} exists", "name another file") from None
    except OSError as error:
        raise CliError(f"{file} cannot be written: {error.strerror}") from error
    if as_json:
        print_json({"file": str(file), "nodes": ours.nodes, "files": [str(path) for path in found.secrets]})
        return
    print(
        f"{file}: {config}, and {len(found.secrets)} files of {ours.secrets.path} with the keys of {ours.nodes} nodes."
    )
    print("not in it, since they are made again: databases, logs, the nodes' files; nor is a local chain")
    print("without its password nobody can read it: keep both, in two places")
