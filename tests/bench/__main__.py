"""Run the benches: python -m tests.bench [NAME] [--json] [--keep]."""

import importlib
import sys
from typing import Annotated

import typer
from rich.console import Console

from tests.bench import kept, processor_reference
from tests.bench.process import ended_by_sigterm
from tests.bench.report import Report

# Each is a module of this package with `run() -> Report`.
BENCHES = (
    "aggregator", "database", "growth", "latency", "many_feeds", "observing", "oracle", "reconcile", "start", "storms",
    "supervisor", "viewing"
)  # fmt: skip


def main(
    name: Annotated[str, typer.Argument(help=f"one of: {', '.join(BENCHES)}; all without a name")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="print JSON instead of tables")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="let the next runs compare with this one's values")] = False,
) -> None:
    """Measure against references of the same run, and compare with the last kept results."""
    if name and name not in BENCHES:
        raise typer.BadParameter(f"found {name!r}, there are: {', '.join(BENCHES)}", param_hint="NAME")
    with ended_by_sigterm():
        for bench in [name] if name else BENCHES:
            _run(bench, as_json=as_json, keep=keep)


def _run(bench: str, *, as_json: bool, keep: bool) -> None:
    before_ms = processor_reference.measure_ms()
    report: Report = importlib.import_module(f"tests.bench.{bench}").run()
    reference_ms = min(before_ms, processor_reference.measure_ms())
    found = kept.load().get(report.title)
    changes = {} if found is None else kept.compared(report, found, reference_ms)
    backwards = {place for place, change in changes.items() if kept.is_step_back(report.rows[place], change)}
    if as_json:
        sys.stdout.buffer.write(report.json(changes) + b"\n")
    else:
        report.show(Console(width=None if sys.stdout.isatty() else 140), changes, backwards)
        told = "there is no kept result" if found is None else f"{len(backwards)} values are worse than the kept ones"
        print(f"- the reference work took {reference_ms:.2f} ms of processor time; {told}")
    if keep:
        kept.keep(report, reference_ms)


if __name__ == "__main__":
    typer.run(main)
