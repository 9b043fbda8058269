"""
The `feedmesh` command: its options, and which module does what they ask for.

Each command imports its module when it is called: gRPC and its like take most of a second, which neither `--help` nor a
command that asks no server should cost.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from cli import completion, options
from cli.backup.commands import backup_app
from cli.configuration.app import config_app
from cli.database.commands import db_app
from cli.errors import CliError, UsageError
from cli.explain.commands import explain_app
from cli.feeds.commands import feeds_app
from cli.keys.commands import keys_app
from cli.options import ConfigOption, DataDirOption, JsonOption, RunDirOption
from cli.running_mesh import running_app
from meshkit.errors import MeshError
from meshkit.paths import default_data_dir, default_run_dir
from meshkit.process import core_dumps

app = typer.Typer(
    name="feedmesh",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    # Plain help: the other one loads a Markdown parser and a highlighter, which takes twice as long as all the rest.
    rich_markup_mode=None,
)

RoundsOption = Annotated[int, typer.Option(min=0, help="Stop after this many new rounds of every feed; 0: never.")]
TimeoutOption = Annotated[float, typer.Option(min=0, help="Longest time in seconds for --rounds; 0: no bound.")]
LogsOption = Annotated[bool, typer.Option("--logs", help="Also write every service's log lines, prefixed.")]


def _show_version(wanted: bool) -> None:
    if wanted:
        from cli.image import version as command

        command.show(as_json=False)
        raise typer.Exit


@app.callback()
def feedmesh(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version, as `version`.")
    ] = False,
) -> None:
    """Run a whole Chainlink Data Feeds network on one host, look inside, control its processes."""


@app.command()
def run(
    profile_name: Annotated[
        str, typer.Option("--profile", help="Only `embedded`: no chain, no keys needed.")
    ] = "embedded",
    nodes: Annotated[int, typer.Option(help="Nodes in all: one bootstrap, the rest oracles.")] = 5,
    feeds: Annotated[
        str, typer.Option(help="Feed names, separated by commas, or all.")
    ] = "BTC / USD,ETH / USD,EUR / USD",
    rounds: RoundsOption = 0,
    as_json: JsonOption = False,
    logs: LogsOption = False,
    timeout: TimeoutOption = 300,
    data_dir: DataDirOption = None,
    run_dir: RunDirOption = None,
    port_offset: Annotated[int, typer.Option(min=0, max=50_000, help="Added to every port.")] = 0,
) -> None:
    """Run a whole network here: dev chain, simulated market, PostgreSQL, nodes, services."""
    if profile_name != "embedded":
        raise UsageError(f"--profile: found {profile_name!r}, allowed: embedded (with a file of yours: feedmesh up)")
    from cli.embedded import feeds as simulated
    from cli.embedded import profile

    names = simulated.parse(feeds)
    profile.check_arguments(nodes, names)
    data = (data_dir or default_data_dir(profile_name)).absolute()
    config = profile.write(data, (run_dir or default_run_dir()).absolute(), nodes, names, port_offset)
    from cli.foreground.launch import launch

    options.run(launch(config, rounds=rounds, as_json=as_json, pass_logs=logs, timeout_s=timeout))


@app.command()
def up(
    config: ConfigOption,
    rounds: RoundsOption = 0,
    as_json: JsonOption = False,
    logs: LogsOption = False,
    timeout: TimeoutOption = 300,
) -> None:
    """Run the network of a configuration file; as the first process of a container, become its supervisor."""
    if os.getpid() == 1 and not rounds and not as_json:
        command = [sys.executable, "-m", "services.supervisor", "--config", str(config.absolute())]
        os.execv(command[0], command)  # noqa: S606  # there is no shell, and nothing of ours is to stay above it
    from cli.foreground.launch import launch

    options.run(launch(config.absolute(), rounds=rounds, as_json=as_json, pass_logs=logs, timeout_s=timeout))


@app.command()
def serve(
    service: Annotated[str, typer.Argument(help="aggregator, operator or node.")],
    config: ConfigOption,
    number: Annotated[int | None, typer.Argument(help="The node's number.", show_default=False)] = None,
    run_dir: RunDirOption = None,
) -> None:
    """Run one service alone in the foreground, on a machine of its own; whoever started it restarts it."""
    from cli.serve import foreground

    options.run(foreground.serve(service, number, config, run_dir))


@app.command()
def prepare(
    config: ConfigOption,
    out: Annotated[
        Path | None, typer.Option(help="Where to write a directory for each service.", show_default=False)
    ] = None,
    databases: Annotated[
        bool,
        typer.Option("--databases", help="Make the nodes' roles and databases in the server of mesh.postgres.url."),
    ] = False,
) -> None:
    """Make what the machines of a mesh that is spread out are given: each service's share, the nodes' files."""
    from cli.serve import prepare as command

    if out is None and not databases:
        raise UsageError("--out, --databases: found none, needed: one of them")
    for directory in command.prepare(config, out) if out is not None else ():
        print(directory)
    if databases:
        command.prepare_databases(config)


@app.command()
def check(
    config: ConfigOption,
    online: Annotated[
        bool, typer.Option("--online", help="Also ask the chain, the contracts, the sources and the receivers.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check a configuration file and show its plan, without starting anything."""
    from cli.configuration import check as command

    # Programs get one object; the questions are asked of a file without faults only.
    exit_code = 0 if online and as_json else command.check(config, as_json)
    if online and not exit_code:
        from cli.configuration import check_online

        exit_code = check_online.run(config, as_json)
    raise typer.Exit(exit_code)


@app.command()
def apply(
    config: ConfigOption,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the difference only.")] = False,
    run_dir: RunDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change the running mesh to a configuration file; only what differs is restarted."""
    from cli.configuration import apply as command

    options.run(command.apply(config, run_dir, dry_run, as_json))


# Without a name its commands are our own.
app.add_typer(running_app)
app.add_typer(feeds_app, name="feeds")
app.add_typer(keys_app, name="keys")
app.add_typer(backup_app)
app.add_typer(explain_app)


@app.command()
def version(as_json: JsonOption = False) -> None:
    """Show the version, the commit and the digest of the code that runs."""
    from cli.image import version as command

    command.show(as_json)


@app.command("completion")
def complete(
    shell: Annotated[completion.Shell, typer.Argument(help="bash, zsh or fish.")],
) -> None:
    """Write what a shell needs to complete these commands' words: source <(feedmesh completion bash)."""
    print(completion.script(shell))


@app.command("verify-image")
def verify_image(
    image: Annotated[Path, typer.Option(help="The image's archive, or a text file with its SHA-256 sum.")],
    report: Annotated[Path, typer.Option(help="The order's report.")],
    resource: Annotated[Path, typer.Option(help="The resource file that says where the image is stored.")],
    as_json: JsonOption = False,
) -> None:
    """Compare the SHA-256 sums of an image, an order's report and a resource file; fail if they are not one."""
    from cli.image import verify_image as command

    raise typer.Exit(command.show(image, report, resource, as_json))


app.add_typer(db_app, name="db")
app.add_typer(config_app, name="config")


def main() -> None:
    """Run the command and end with its exit code; every expected failure is one line on standard error."""
    # Several commands read the deployment's secrets, and some the private keys.
    core_dumps.forbid()
    completion.prepare()
    try:
        sys.exit(app(prog_name=completion.PROGRAM, standalone_mode=False))
    except CliError as error:
        _fail(str(error), error.exit_code)
    except MeshError as error:
        _fail(str(error), 1)
    except typer.TyperException as error:
        message, context = error.format_message().strip(), getattr(error, "ctx", None)
        if context is not None and message == context.get_help().strip():
            # Without a command the help is all there is to say, and no error of anybody's.
            print(message)
            sys.exit(error.exit_code)
        _fail(message, error.exit_code)
    except typer.Abort:
        sys.exit(1)


def _fail(message: str, exit_code: int) -> None:
    print(f"feedmesh: error: {message}", file=sys.stderr)
    if "--json" in sys.argv:
        from cli.json_output import print_json

        print_json({"ok": False, "error": message})
    sys.exit(exit_code)
