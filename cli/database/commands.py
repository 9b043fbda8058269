"""The options of `feedmesh db …`, and which module does what they ask for."""

from typing import Annotated

import typer

from cli.options import JsonOption, RunDirOption, run
from meshkit.paths import default_run_dir

db_app = typer.Typer(help="Look into the nodes' databases.", no_args_is_help=True, rich_markup_mode=None)


@db_app.command()
def status(run_dir: RunDirOption = None, as_json: JsonOption = False) -> None:
    """Show every node's database, try that none is open to another node, and fail if something is wrong."""
    from cli.database import status_and_psql

    run(status_and_psql.status(run_dir or default_run_dir(), as_json))


@db_app.command()
def psql(
    node: Annotated[int, typer.Argument(min=1, help="The node's number.")],
    arguments: Annotated[list[str] | None, typer.Argument(help="Arguments for psql, after `--`.")] = None,
    run_dir: RunDirOption = None,
) -> None:
    """Open psql on a node's database."""
    from cli.database import status_and_psql

    run(status_and_psql.psql(run_dir or default_run_dir(), node, arguments or []))
