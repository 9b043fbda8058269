"""The options of `feedmesh feeds …`, and which module does what they ask for."""

from pathlib import Path
from typing import Annotated

import typer

from cli.options import JsonOption, RunDirOption, run
from meshkit.paths import default_run_dir

FeedArgument = Annotated[str, typer.Argument(metavar="FEED", help="A feed's name, for example `BTC / USD`.")]
FeedsArgument = Annotated[list[str] | None, typer.Argument(metavar="FEED", help="Feed names; none: all.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Send nothing, show what would be sent.")]

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


@feeds_app.command("import")
def import_(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The directory of job templates.")],
    out: Annotated[
        Path | None, typer.Option(help="Where the part of a configuration goes; by default to standard output.")
    ] = None,
    addresses: Annotated[
        Path | None, typer.Option(help="JSON of contract addresses. [default: feed-cas.json in DIR]")
    ] = None,
    chain_id: Annotated[int | None, typer.Option(help="Take over the addresses of this chain.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Turn job templates into feeds of a configuration, and say what is wrong with the templates."""
    from cli.feeds import importing

    raise typer.Exit(importing.show(directory, addresses, chain_id, out, as_json=as_json))


@feeds_app.command()
def show(feed: FeedArgument, run_dir: RunDirOption = None, as_json: JsonOption = False) -> None:
    """Show one feed: contract, answer, what prices it, its jobs."""
    from cli.feeds import one_feed

    run(one_feed.show(run_dir or default_run_dir(), feed, as_json))


@feeds_app.command()
def history(
    feed: FeedArgument,
    count: Annotated[int, typer.Option(min=1, max=1000, help="How many of the last answers.")] = 200,
    png: Annotated[Path | None, typer.Option(help="Also write them as an image.")] = None,
    run_dir: RunDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the last answers of a feed's contract as a line, and write it as an image."""
    from cli.feeds import history as command

    run(command.history(run_dir or default_run_dir(), feed, count, png, as_json))


@feeds_app.command()
def verify(feeds: FeedsArgument = None, run_dir: RunDirOption = None, as_json: JsonOption = False) -> None:
    """Compare contracts, jobs and keys with the configuration; show what differs and fail if something does."""
    from cli.feeds import verifying

    run(verifying.verify(run_dir or default_run_dir(), feeds or [], as_json))


@feeds_app.command()
def deploy(
    feeds: FeedsArgument = None,
    dry_run: DryRunOption = False,
    run_dir: RunDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the contracts that are missing, and configure them."""
    _change("FEED_CHANGE_DEPLOY", feeds, run_dir, dry_run=dry_run, as_json=as_json)


@feeds_app.command()
def configure(
    feeds: FeedsArgument = None,
    dry_run: DryRunOption = False,
    run_dir: RunDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Configure the contracts that differ from what is wanted."""
    _change("FEED_CHANGE_CONFIGURE", feeds, run_dir, dry_run=dry_run, as_json=as_json)


def _change(name: str, feeds: list[str] | None, run_dir: Path | None, *, dry_run: bool, as_json: bool) -> None:
    from cli.feeds import changing
    from feedmesh.operator.v1 import operator_service_pb2 as pb

    change = pb.FeedChange.Value(name)
    run(changing.change(run_dir or default_run_dir(), change, feeds or [], dry_run=dry_run, as_json=as_json))
