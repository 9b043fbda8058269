"""
Run a mesh in the foreground: `feedmesh run` and `feedmesh up` are both this, once there is a configuration file.

    Supervised ── the supervisor process ──▶ all services
        │ exit code
    launch() ◀── signals
        │
    Watcher ── gRPC ──▶ View ──▶ LiveTable or Lines

The run ends when the wanted rounds are there, a signal comes, the time is up or the supervisor ends; never because
something cannot be shown. Whatever the cause, the supervisor is stopped and waited for before launch() returns, so
nothing of the mesh is left.
"""

import asyncio
import os
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console

from cli.errors import CliError, MeshFailed
from cli.explain.doctor import Diagnosis, diagnose
from cli.foreground.live_table import LiveTable
from cli.foreground.mesh_watcher import View, Watcher, fetch_references
from cli.foreground.run_lines import Lines
from cli.foreground.run_report import FeedRecord, final_line
from cli.foreground.supervisor_process import Supervised
from cli.foreground.tolerant_output import Display, say, write_line
from meshkit.configuration import start_check
from meshkit.configuration.feeds.served_feeds import served_feeds


async def launch(config: Path, *, rounds: int, as_json: bool, pass_logs: bool, timeout_s: float) -> int:
    """
    Run the mesh of a configuration file and return the exit code.

    With `rounds` the run ends after that many new rounds of every feed; with `as_json` the last line is the report.
    `timeout_s` bounds a run with `rounds`; 0 is no bound.
    """
    started_s = time.monotonic()
    # Before anything starts, and with the same words as `feedmesh check`.
    solution = start_check.valid(config, os.environ).solution
    view = View(feeds={feed.name: FeedRecord(feed.name) for feed in served_feeds(solution)})
    supervised = Supervised(config, pass_output=pass_logs)
    watcher = Watcher(solution, view, started_s, rounds)
    hint = f"logs: {solution.mesh.data_dir}/logs"
    page = f"page: http://127.0.0.1:{solution.mesh.ports.metrics}/"
    error: CliError | None = None
    interrupted = asyncio.Event()

    def judged() -> Diagnosis:
        return diagnose(solution.mesh.run_dir, time.time_ns() // 1_000_000)

    with ExitStack() as stack:
        display: Lines | LiveTable
        console = Console()
        if console.is_terminal and not as_json and not pass_logs:
            title = f"feedmesh  data {solution.mesh.data_dir}  sockets {solution.mesh.run_dir}"
            display = stack.enter_context(LiveTable(view, console, title, page, judged))
        else:
            stream = sys.stderr if as_json else sys.stdout
            display = Lines(lambda text: write_line(text, stream), started_s)
        view.on_service, view.on_round, view.on_problem = display.service, display.round, display.say

        await supervised.start()
        if isinstance(display, Lines):
            say(display, page)
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, _on_signal, interrupted, supervised)
        # It goes on during the stop, so that one sees what is still there.
        following = asyncio.create_task(_follow(watcher, supervised, display))
        try:
            await _until_end(supervised, watcher.done, interrupted, timeout_s if rounds else 0, hint)
            if rounds and not interrupted.is_set():
                await fetch_references(solution, list(view.feeds.values()))
        except CliError as failure:
            error = failure
        except Exception as failure:  # whatever it is, what runs is stopped in order
            error = MeshFailed(f"the market simulator gave no reference price: {failure!r}", hint)
        services = list(view.services.values())
        if supervised.exit_code is None:
            say(display, "stopping in reverse order")
        exit_code = await supervised.stop()
        following.cancel()
        await asyncio.wait({following})
        if exit_code and error is None:
            error = MeshFailed(supervised.last_error(), hint, exit_code)
        if error is None and interrupted.is_set() and rounds:
            error = MeshFailed("interrupted before the rounds were there", exit_code=130)
        say(display, "everything is stopped" if error is None else f"error: {error}")

    if as_json:
        report = final_line(
            error=None if error is None else str(error),
            startup_s=view.startup_s,
            elapsed_s=time.monotonic() - started_s,
            services=services,
            feeds=list(view.feeds.values()),
        )
        write_line(orjson.dumps(report).decode(), sys.stdout)
    return 0 if error is None else error.exit_code


def _on_signal(interrupted: asyncio.Event, supervised: Supervised) -> None:
    # The first signal leaves the stop to launch(); the next ones hurry the supervisor.
    if interrupted.is_set():
        supervised.signal()
    interrupted.set()


async def _follow(watcher: Watcher, supervised: Supervised, display: Display) -> None:
    """Watch the mesh; if that fails, it is said, and the mesh goes on without being shown."""
    try:
        await watcher.run(supervised.is_ours)
    except Exception as error:  # a defect of ours
        say(display, f"the mesh is no longer shown, but goes on: {error!r}")


async def _until_end(
    supervised: Supervised,
    done: asyncio.Event,
    interrupted: asyncio.Event,
    timeout_s: float,
    hint: str,
) -> None:
    """
    Return when the rounds are there, a signal came or somebody stopped the mesh, which counts as a signal.

    Raises:
        MeshFailed: when the mesh broke or time is up.
    """
    ended = asyncio.create_task(supervised.wait())
    waits: set[asyncio.Task[Any]] = {
        ended,
        asyncio.create_task(done.wait()),
        asyncio.create_task(interrupted.wait()),
    }
    try:
        finished, _ = await asyncio.wait(waits, timeout=timeout_s or None, return_when=asyncio.FIRST_COMPLETED)
        if not finished:
            raise MeshFailed(f"the rounds were not there after {timeout_s:.0f} s", hint)
        if ended in finished:
            if exit_code := ended.result():
                raise MeshFailed(supervised.last_error(), hint, exit_code)
            interrupted.set()
    finally:
        for task in waits:
            task.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
