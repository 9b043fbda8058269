"""The supervisor as a child process of the command line."""

import asyncio
import os
import signal
import sys
from collections import deque
from pathlib import Path

import orjson
import psutil

from cli.errors import MeshFailed
from cli.foreground.tolerant_output import write_line

# The supervisor stops everything within 15 s by itself; this is for a supervisor that hangs.
STOP_LIMIT_S = 20.0
_KEPT_LINES = 200
_READ_BYTES = 65_536
_LONGEST_LINE_BYTES = 1 << 20


class Supervised:
    """
    A running supervisor: its output is passed on or kept, its end is an exit code.

    The supervisor gets a session of its own, so that Ctrl-C at the terminal reaches only us and the stop stays ordered.
    It asks the kernel for SIGTERM should we die first.
    """

    def __init__(self, config: Path, *, pass_output: bool) -> None:
        self._config = config
        self._pass_output = pass_output
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the process."""
        environment = {**os.environ, "FEEDMESH_PARENT": str(os.getpid())}
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "services.supervisor",
            "--config",
            str(self._config),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            env=environment,
        )
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        rest = b""
        while piece := await self._process.stdout.read(_READ_BYTES):
            *whole, rest = (rest + piece).split(b"\n")
            # A line without end, of which only the last part would ever be shown, must not fill the memory.
            rest = rest[-_LONGEST_LINE_BYTES:]
            for line in whole:
                self._take(line)
        if rest:
            self._take(rest)

    def _take(self, raw: bytes) -> None:
        line = raw.decode(errors="replace")
        self._lines.append(line)
        if self._pass_output:
            write_line(line, sys.stdout)

    def is_ours(self, pid: int) -> bool:
        """Tell whether the supervisor with this pid is the one we started, which stands below its guards."""
        assert self._process is not None
        try:
            process = psutil.Process(pid)
            return self._process.pid in {pid, *(parent.pid for parent in process.parents())}
        except psutil.NoSuchProcess:
            return False

    @property
    def exit_code(self) -> int | None:
        """Return how the process ended, as a shell would say it; None while it runs."""
        assert self._process is not None
        code = self._process.returncode
        return None if code is None else (128 - code if code < 0 else code)

    async def wait(self) -> int:
        """Return the exit code once the process has ended and all its output was read."""
        assert self._process is not None
        assert self._reader is not None
        await self._process.wait()
        await self._reader
        assert self.exit_code is not None
        return self.exit_code

    def signal(self) -> None:
        """Ask for the ordered stop; each further signal hurries it."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)

    async def stop(self) -> int:
        """Stop the mesh in order and return the exit code; kill a supervisor that hangs."""
        self.signal()
        try:
            async with asyncio.timeout(STOP_LIMIT_S):
                return await self.wait()
        except TimeoutError:
            assert self._process is not None
            self._process.kill()
            await self.wait()
            raise MeshFailed(f"the supervisor did not stop within {STOP_LIMIT_S:.0f} s and was killed") from None

    def last_error(self) -> str:
        """Return the supervisor's last error in words, or its last line if it logged none."""
        for line in reversed(self._lines):
            try:
                event = orjson.loads(line[line.index("{") :])
            except (ValueError, orjson.JSONDecodeError):
                continue
            if event.get("level") in ("error", "critical"):
                return str(event.get("error") or event.get("event"))
        return self._lines[-1] if self._lines else "it wrote nothing"
