"""The options of `feedmesh backup` and `restore`, and which module does what they ask for."""

from pathlib import Path
from typing import Annotated

import typer

from cli.options import JsonOption

backup_app = typer.Typer(rich_markup_mode=None)

PasswordOption = Annotated[
    Path | None, typer.Option("--password-file", help="A file whose first line is the backup's password.")
]


@backup_app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="The file to write.")],
    config: Annotated[Path, typer.Option(help="The deployment's configuration.json.")],
    password_file: PasswordOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the configuration, the nodes' keys and the contracts' addresses into one encrypted file."""
    from cli.backup import making

    making.backup(file, config, password_file, as_json)


@backup_app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A file that `feedmesh backup` wrote.")],
    config: Annotated[Path | None, typer.Option(help="Where to write the configuration. [default: as it was]")] = None,
    secrets_dir: Annotated[Path | None, typer.Option(help="Where to write the secrets. [default: as it was]")] = None,
    password_file: PasswordOption = None,
    force: Annotated[bool, typer.Option("--force", help="Put aside what is there with other contents.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Put the files of a backup back; without --force nothing that is there is changed."""
    from cli.backup import restoring

    restoring.restore(file, config, secrets_dir, password_file, force=force, as_json=as_json)
