"""The commands that say why: `explain`, `replay`, `doctor`, `audit`; each imports its module when it is called."""

from typing import Annotated

import typer

from cli import options
from cli.options import JsonOption, RunDirOption
from meshkit.paths import default_run_dir

explain_app = typer.Typer(rich_markup_mode=None)

FeedArgument = Annotated[str, typer.Argument(help="A feed's name, for example `BTC / USD`.")]
RoundArgument = Annotated[
    str,
    typer.Argument(
        metavar="ROUND|TIME",
        help="The contract's number, EPOCH/ROUND, or a time: 90s, 5m, 2h, 1d ago, an ISO time. [default: the last]",
        show_default=False,
    ),
]


@explain_app.command()
def explain(
    feed: FeedArgument, round_text: RoundArgument = "", run_dir: RunDirOption = None, as_json: JsonOption = False
) -> None:
    """Say why a round's answer is what it is, or why there is none: its way from the exchanges into a block."""
    from cli.explain import explaining

    options.run(explaining.explain_round(run_dir or default_run_dir(), feed, round_text, as_json))


@explain_app.command()
def replay(
    feed: FeedArgument, round_text: RoundArgument = "", run_dir: RunDirOption = None, as_json: JsonOption = False
) -> None:
    """Put what a kept round was made of through the code that runs now; fail if it does not give the same."""
    from cli.explain import replaying

    options.run(replaying.replay_round(run_dir or default_run_dir(), feed, round_text, as_json))


@explain_app.command()
def doctor(run_dir: RunDirOption = None, as_json: JsonOption = False) -> None:
    """Show each link from the prices to the age on chain, and the first broken one; fail if one is."""
    from cli.explain import doctor as command

    raise typer.Exit(command.doctor(run_dir or default_run_dir(), as_json))


@explain_app.command()
def audit(
    address: Annotated[str, typer.Argument(help="The contract that a consumer reads: a proxy or an aggregator.")],
    rpc: Annotated[str, typer.Option(help="URL of a JSON-RPC endpoint of its chain.")],
    heartbeat: Annotated[
        float | None, typer.Option(min=0, help="Seconds that an answer may be old. [default: the contract's own]")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Look at any feed as its consumer: stale, pinned, carried over, proxy, decimals, owner; fail on a fault."""
    from cli.explain import auditing

    options.run(auditing.audit_feed(address, rpc, heartbeat, as_json))
