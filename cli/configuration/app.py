"""`feedmesh config`: sign, verify, join and explain configuration files."""

from pathlib import Path
from typing import Annotated

import typer

from cli.options import JsonOption

config_app = typer.Typer(
    help="Sign, verify, join and explain configuration files.", no_args_is_help=True, rich_markup_mode=None
)

FileArgument = Annotated[Path, typer.Argument(help="The configuration.json.")]


@config_app.command()
def keygen(
    directory: Annotated[Path, typer.Argument(help="Where the two files go; it is made if it is missing.")],
    as_json: JsonOption = False,
) -> None:
    """Make a pair of keys: one to sign with, which stays secret, and one for CONFIGURATION_PUBLIC_KEY."""
    from cli.configuration import signing

    signing.keygen(directory, as_json)


@config_app.command()
def sign(
    file: FileArgument,
    key: Annotated[Path, typer.Option(help="File of the private key.")],
    out: Annotated[Path | None, typer.Option(help="Where the signed file goes; by default it is replaced.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Sign a configuration file; nothing of it changes but its signature."""
    from cli.configuration import signing

    signing.sign(file, key, out, as_json)


@config_app.command()
def verify(
    file: FileArgument,
    key: Annotated[
        str, typer.Option(help="The public key, or the path of its file.", envvar="CONFIGURATION_PUBLIC_KEY")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Tell whether a file is signed by a key; fail if it is not."""
    from cli.configuration import signing

    signing.verify(file, key, as_json)


@config_app.command()
def join(
    base: Annotated[Path, typer.Argument(help="The configuration.json without the aggregator's part.")],
    aggregator: Annotated[Path, typer.Argument(help="The aggregator's YAML.")],
    out: Annotated[Path | None, typer.Option(help="Where the whole file goes; by default to standard output.")] = None,
) -> None:
    """Put the aggregator's YAML into a configuration file as solution.priceAggregatorConfig."""
    from cli.configuration import joining

    joining.join(base, aggregator, out)


@config_app.command()
def show(
    file: FileArgument,
    given: Annotated[bool, typer.Option("--given", help="Only what the file gives, without defaults.")] = False,
) -> None:
    """Show what a file amounts to, with all defaults, as JSON; secrets are hidden."""
    from cli.configuration import explaining

    explaining.show(file, given)


@config_app.command()
def schema() -> None:
    """Show the JSON schema of configuration files."""
    from cli.configuration import explaining

    explaining.schema()


@config_app.command()
def explain(
    key: Annotated[str, typer.Argument(help="A key, `solution.maxRestarts` or only its last part.")],
    as_json: JsonOption = False,
) -> None:
    """Say what a key means: type, default, what is allowed, which services read it, the variable that stands in."""
    from cli.configuration import explaining

    explaining.explain(key, as_json)
