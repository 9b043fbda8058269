"""
The ends of processes that nobody waits for.

As PID 1 and as a subreaper the supervisor becomes the parent of every orphan below it. They are reaped here; the
processes that somebody of ours waits for (`owned`) are left to them, or their exit codes would be lost.
"""

import asyncio
import ctypes
import os
import signal
from types import TracebackType
from typing import Final, Self

import psutil

_PR_SET_CHILD_SUBREAPER: Final = 36
_AGAIN_S: Final = 0.1
_KILL_S: Final = 1.0

owned: Final[set[int]] = set()
"""Process ids that somebody of ours waits for; entered before the loop runs again after the fork."""


class Reaper:
    """Reap orphans while the loop runs, as a context manager; at the end those that still run are killed."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._again: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        _be_subreaper(1)
        # uvloop keeps this signal for processes of its own, of which there are none here.
        signal.signal(signal.SIGCHLD, lambda *_: self._loop.call_soon_threadsafe(self._reap))
        self._reap()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        if self._again is not None:
            self._again.cancel()
        _kill_orphans()
        _be_subreaper(0)

    def _reap(self) -> None:
        while (pid := _ended()) is not None:
            if pid in owned:
                # It hides those behind it until its owner has taken it, which is about to happen.
                if self._again is None:
                    self._again = self._loop.call_later(_AGAIN_S, self._reap_again)
                return
            os.waitpid(pid, 0)

    def _reap_again(self) -> None:
        self._again = None
        self._reap()


def _ended() -> int | None:
    """Return a child that has ended and leave it as it is."""
    try:
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return None if ended is None else ended.si_pid


def _kill_orphans() -> None:
    """Kill what has left the group of its service; the children of the killed become ours, so there are rounds."""
    while orphans := [process for process in psutil.Process().children() if process.pid not in owned]:
        for orphan in orphans:
            orphan.kill()
        if psutil.wait_procs(orphans, timeout=_KILL_S)[1]:
            return  # in an uninterruptible wait, where nobody can help


def _be_subreaper(on: int) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, on, 0, 0, 0)
