"""
A plan made in a process of its own.

Reading and checking a configuration takes libraries of 15 MB, which the supervisor would hold for ever for something
it does once; and it never sees a secret that way, but in the file's text on its way to the services.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import orjson

from services.supervisor.errors import PlanRefused
from services.supervisor.plan import plan_json
from services.supervisor.plan.mesh_plan import MeshPlan


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a program ended (a negative code is a signal) and what it wrote, each stream apart."""

    code: int
    output: bytes
    errors: bytes


async def make_plan(path: Path, owned: set[int]) -> MeshPlan:
    """
    Return what follows from a configuration file; raises PlanRefused with every problem in it.

    While the process runs its pid is in `owned`, since nothing else may wait for it.
    """
    command = (sys.executable, "-m", "services.supervisor", "--config", str(path), "--plan")
    outcome = await run(command, os.environ, owned)
    if outcome.code == 0:
        return plan_json.read(outcome.output)
    try:
        refusal = orjson.loads(outcome.output)
    except orjson.JSONDecodeError:
        words = outcome.errors.decode(errors="replace").strip()
        raise PlanRefused(f"the plan of {path} cannot be made: {words}") from None
    raise PlanRefused(refusal["error"])


async def run(command: Sequence[str], environment: Mapping[str, str], owned: set[int]) -> Outcome:
    """Run a program to its end in a session of its own; it is killed with its group when the caller is cancelled."""
    loop = asyncio.get_running_loop()
    ended = loop.create_future()
    # Files, since a pipe that nobody empties would stop a program that writes much; in memory, since the disk may be
    # read-only.
    with os.fdopen(os.memfd_create("output"), "w+b") as output, os.fdopen(os.memfd_create("errors"), "w+b") as errors:
        process = subprocess.Popen(  # noqa: ASYNC220  # a vfork, and nobody else may wait for the pid
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            env=dict(environment),
            start_new_session=True,
        )
        owned.add(process.pid)
        try:
            pidfd = os.pidfd_open(process.pid)
            try:
                loop.add_reader(pidfd, ended.set_result, None)
                await ended
            finally:
                loop.remove_reader(pidfd)
                os.close(pidfd)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
            owned.discard(process.pid)
        output.seek(0)
        errors.seek(0)
        return Outcome(code, output.read(), errors.read())
