"""A program that is run to its end for its answer: an exec probe, the planner."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from services.supervisor.process import reaper


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a program ended (a negative code is a signal) and what it wrote, each stream apart."""

    code: int
    output: bytes
    errors: bytes


async def run(command: Sequence[str], environment: Mapping[str, str]) -> Outcome:
    """Run a program in a session of its own; it and its group are killed when the caller is cancelled."""
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
        reaper.owned.add(process.pid)
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
            reaper.owned.discard(process.pid)
        output.seek(0)
        errors.seek(0)
        return Outcome(code, output.read(), errors.read())
