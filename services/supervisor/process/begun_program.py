"""
A program that runs beside what its starter goes on with, and whose output is kept until it is asked for.

The supervisor begins to make its plan before it loads what it is made of itself; so this module imports little.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a program ended (a negative code is a signal) and what it wrote, each stream apart."""

    code: int
    output: bytes
    errors: bytes


class BegunProgram:
    """A program in a session of its own, until `kill`."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        # Files, since a pipe that nobody empties would stop a program that writes much; in memory, since the disk may
        # be read-only.
        self._output = os.fdopen(os.memfd_create("output"), "w+b")
        self._errors = os.fdopen(os.memfd_create("errors"), "w+b")
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._errors,
            env=dict(environment),
            start_new_session=True,
        )
        self.pid = self._process.pid

    def kill(self) -> Outcome:
        """Kill what is left of it and return how it ended; once only."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        code = self._process.wait()
        with self._output as output, self._errors as errors:
            output.seek(0)
            errors.seek(0)
            return Outcome(code, output.read(), errors.read())


def begin_plan(path: Path) -> BegunProgram:
    """Begin to make the plan of a configuration file; see `planning_process`."""
    return BegunProgram((sys.executable, "-m", "services.supervisor", "--config", str(path), "--plan"), os.environ)
