"""
The ends of processes that nobody waits for.

As PID 1 and as a subreaper the supervisor becomes the parent of every orphan below it. They are reaped here; the
processes that somebody of ours waits for are left to them, or their exit codes would be lost.
"""

import asyncio
import os
import signal
from collections.abc import Set
from types import TracebackType
from typing import Final, Self

from services.supervisor.process import orphan_killer

_AGAIN_S: Final = 0.1


class OrphanReaper:
    """
    Reap orphans while the loop runs, as a context manager; at the end those that still run are killed.

    `owned` are the process ids that somebody of ours waits for; one is entered before the loop runs again after its
    fork, and goes when its exit code was taken.
    """

    def __init__(self, owned: Set[int]) -> None:
        self._owned = owned
        self._loop = asyncio.get_running_loop()
        self._again: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        orphan_killer.be_subreaper(True)
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
        orphan_killer.kill_children(self._owned)
        orphan_killer.be_subreaper(False)

    def _reap(self) -> None:
        while (pid := _ended()) is not None:
            if pid in self._owned:
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
