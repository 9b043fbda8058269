"""Run the benches: python -m tests.bench [NAME] [--json]."""

import importlib
import sys
from typing import Annotated

import typer
from rich.console import Console

from tests.bench.report import Report

# Each is a module of this package with `run() -> Report`.
BENCHES = ("aggregator", "database", "many_feeds", "oracle", "start", "storms", "supervisor")


def main(
    name: Annotated[str, typer.Argument(help=f"one of: {', '.join(BENCHES)}; all without a name")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="print JSON instead of tables")] = False,
) -> None:
    """Measure against references of the same run; numbers of different runs or machines do not compare."""
    if name and name not in BENCHES:
        raise typer.BadParameter(f"found {name!r}, there are: {', '.join(BENCHES)}", param_hint="NAME")
    for bench in [name] if name else BENCHES:
        report: Report = importlib.import_module(f"tests.bench.{bench}").run()
        if as_json:
            sys.stdout.buffer.write(report.json() + b"\n")
        else:
            report.show(Console(width=None if sys.stdout.isatty() else 120))


if __name__ == "__main__":
    typer.run(main)
