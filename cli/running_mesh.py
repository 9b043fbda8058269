"""The options of the commands that look into a running mesh and control its processes, and which module does it."""

import time
from typing import Annotated

import typer

from cli import completion, options
from cli.options import DataDirOption, JsonOption, RunDirOption
from meshkit.paths import default_data_dir, default_run_dir

running_app = typer.Typer(rich_markup_mode=None)

ServiceArgument = Annotated[
    str,
    typer.Argument(help="A service's name, for example chainlink-node-2.", autocompletion=completion.services),
]


@running_app.command()
def status(
    run_dir: RunDirOption = None,
    as_json: JsonOption = False,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for a good verdict.")] = 0,
    watch: Annotated[bool, typer.Option("--watch", help="Show it again each second until interrupted.")] = False,
) -> None:
    """Show every service with state, pid, restarts and uptime, and the verdict; fail if that is bad."""
    from cli.commands import services

    options.run(services.status(run_dir or default_run_dir(), as_json, wait, watch=watch))


@running_app.command()
def down(
    timeout: Annotated[float, typer.Option(min=0, help="Longest time in seconds.")] = 60,
    run_dir: RunDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Stop the whole mesh in order, and return when it is down."""
    from cli.commands import services

    options.run(services.down(run_dir or default_run_dir(), timeout, as_json))


@running_app.command()
def logs(
    services: Annotated[
        list[str] | None, typer.Argument(help="Service names; none: all.", autocompletion=completion.services)
    ] = None,
    lines: Annotated[int, typer.Option("-n", "--lines", min=1, help="Past lines to show.")] = 100,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with new lines.")] = False,
    since: Annotated[str, typer.Option(help="Only lines from then on: 90s, 5m, 2h, 1d ago or an ISO time.")] = "",
    grep: Annotated[str, typer.Option(help="Only lines with this text, in upper or lower case.")] = "",
    level: Annotated[str, typer.Option(help="Only lines of this level or a worse one: info, warning, error.")] = "",
    data_dir: DataDirOption = None,
    run_dir: RunDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show log lines of services; with --since also those of a mesh that does not run, from its files."""
    from cli.commands import logs as command
    from cli.moments import since_ms

    selection = command.LogSelection(services or [], lines, follow, since_ms(since, time.time()), grep, level)
    data = data_dir or default_data_dir("embedded")
    options.run(command.show(run_dir or default_run_dir(), selection, as_json, data))


@running_app.command()
def start(service: ServiceArgument, run_dir: RunDirOption = None, as_json: JsonOption = False) -> None:
    """Start a stopped service."""
    from cli.commands import services

    options.run(services.control(run_dir or default_run_dir(), "StartService", service, as_json))


@running_app.command()
def stop(service: ServiceArgument, run_dir: RunDirOption = None, as_json: JsonOption = False) -> None:
    """Stop a service; it stays down until it is started."""
    from cli.commands import services

    options.run(services.control(run_dir or default_run_dir(), "StopService", service, as_json))


@running_app.command()
def restart(service: ServiceArgument, run_dir: RunDirOption = None, as_json: JsonOption = False) -> None:
    """Stop and start a service."""
    from cli.commands import services

    options.run(services.control(run_dir or default_run_dir(), "RestartService", service, as_json))


@running_app.command()
def quote(
    pair: Annotated[str, typer.Argument(help="A pair such as BTC/USD.")],
    source: Annotated[str, typer.Option(help="One source's price instead of the median.")] = "",
    run_dir: RunDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask the aggregator for a price."""
    from cli.commands import quote as command

    options.run(command.quote(run_dir or default_run_dir(), pair, source, as_json))


@running_app.command()
def rounds(
    feeds: Annotated[list[str] | None, typer.Argument(metavar="FEED", help="Feed names; none: all.")] = None,
    count: Annotated[int, typer.Option("--rounds", min=0, help="Stop after so many rounds ended; 0: never.")] = 0,
    run_dir: RunDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the rounds of the oracles live: when each node observed, signed, had the report and sent it (UTC)."""
    from cli.commands import rounds as command

    options.run(command.rounds(run_dir or default_run_dir(), feeds or [], count, as_json))


@running_app.command()
def balances(run_dir: RunDirOption = None, as_json: JsonOption = False) -> None:
    """Show what the faucet and the transmitters have, and for how many transmissions that is enough."""
    from cli.commands import balances as command

    options.run(command.balances(run_dir or default_run_dir(), as_json))


@running_app.command()
def nodes(run_dir: RunDirOption = None, as_json: JsonOption = False) -> None:
    """Show every node with its public keys."""
    from cli.commands import nodes as command

    options.run(command.nodes(run_dir or default_run_dir(), as_json))


@running_app.command()
def jobs(
    node: Annotated[str, typer.Argument(help="A node's name or number; none: all.")] = "",
    run_dir: RunDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the nodes' jobs as they answer them, with what goes wrong in them."""
    from cli.commands import nodes as command

    options.run(command.jobs(run_dir or default_run_dir(), node, as_json))


@running_app.command()
def sources(run_dir: RunDirOption = None, as_json: JsonOption = False) -> None:
    """Show every price source with its state."""
    from cli.commands import sources as command

    options.run(command.sources(run_dir or default_run_dir(), as_json))
