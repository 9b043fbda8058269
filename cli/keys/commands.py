"""The options of `feedmesh keys …`, and which module does what they ask for."""

from pathlib import Path
from typing import Annotated

import typer

from cli.options import ConfigOption, JsonOption

keys_app = typer.Typer(
    help="Look at the nodes' keys and change them; private parts go into files only.", no_args_is_help=True
)

NodeArgument = Annotated[int, typer.Argument(help="The node's number.")]
ExportPasswordOption = Annotated[
    Path | None, typer.Option("--password-file", help="A file whose first line is the password of the exported keys.")
]


@keys_app.command("list")
def list_(config: ConfigOption, as_json: JsonOption = False) -> None:
    """Show every node's addresses, peer id and key bundle."""
    from cli.keys import listing

    listing.show_all(config, as_json)


@keys_app.command()
def show(config: ConfigOption, node: NodeArgument, as_json: JsonOption = False) -> None:
    """Show all public parts of one node's keys."""
    from cli.keys import listing

    listing.show(config, node, as_json)


@keys_app.command()
def export(
    config: ConfigOption,
    node: NodeArgument,
    out: Annotated[Path, typer.Option(help="The directory they are written into.")],
    password_file: ExportPasswordOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a node's keys into files that a Chainlink node imports, encrypted with a password of their own."""
    from cli.keys import export_and_import

    export_and_import.export(config, node, out, password_file, as_json)


@keys_app.command("import")
def import_(
    config: ConfigOption,
    node: NodeArgument,
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Exported keys: EVM, P2P, OCR.")],
    password_file: ExportPasswordOption = None,
    force: Annotated[bool, typer.Option("--force", help="Put another key of that kind aside.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make exported keys a node's own; without --password-file they have the keystore's password."""
    from cli.keys import export_and_import

    export_and_import.take(config, node, files, password_file, force=force, as_json=as_json)


@keys_app.command()
def verify(config: ConfigOption, as_json: JsonOption = False) -> None:
    """Decrypt every key file, and fail if one is missing, damaged, open to others, or two nodes'."""
    from cli.keys import verifying

    raise typer.Exit(verifying.show(config, as_json))


@keys_app.command()
def rotate(
    config: ConfigOption,
    node: NodeArgument,
    kinds: Annotated[list[str], typer.Option("--kind", help="evm, p2p or ocr; may be repeated.")],
    as_json: JsonOption = False,
) -> None:
    """Make new keys for a node, keep the old ones aside, and say what follows for the contracts."""
    from cli.keys import rotation

    rotation.rotate(config, node, kinds, as_json)
