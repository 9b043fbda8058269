"""The options of `feedmesh feeds …`, and which module does what they ask for."""

from pathlib import Path
from typing import Annotated

import typer

from cli.options import JsonOption, RunDirOption, run
from meshkit.paths import default_run_dir

feeds_app = typer.Typer(rich_markup_mode=None)


@feeds_app.callback(invoke_without_command=True)
def feeds(
    context: typer.Context,
    known: Annotated[
        bool, typer.Option("--known", help="List the feeds that can be named, not those that run.")
    ] = False,
    run_dir: RunDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show every feed with its contract and last answer."""
    if context.invoked_subcommand is not None:
        return
    if known:
        from cli.feeds import known as known_feeds

        known_feeds.show(as_json)
    else:
        from cli.feeds import running

        run(running.feeds(run_dir or default_run_dir(), as_json))


@feeds_app.command()
def lint(
    config: Annotated[
        Path | None, typer.Option(help="A configuration.json whose baseUrls to ask for the sources' listings.")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no source what it lists.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Look for known feeds that are priced by too little or by something else; fail if one is."""
    from cli.feeds import lint as command

    raise typer.Exit(command.show(config, offline, as_json))
