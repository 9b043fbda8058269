"""The process of one service, while it has one, and what watches it."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, Final, Protocol

from meshkit.clock import Clock
from services.supervisor.plan.service_spec import ServiceSpec
from services.supervisor.process import probes
from services.supervisor.process.child_process import ChildProcess
from services.supervisor.process.forked_process import ForkServers
from services.supervisor.process.probe_watch import watch


class Reports(Protocol):
    """Who is told what happens to one process."""

    def output(self, piece: bytes) -> None:
        """Take a piece of what it wrote."""
        ...

    def ended(self, code: int) -> None:
        """Take its exit code, a negative one for a signal."""
        ...

    def readiness(self, ready: bool, reason: str) -> None:
        """Take a change of its readiness."""
        ...

    def slowness(self, reason: str) -> None:
        """Take what keeps it from being ready for the first time."""
        ...

    def liveness(self, alive: bool, reason: str) -> None:
        """Take a change between answering at all and not."""
        ...

    def checkpointed(self, problem: str) -> None:
        """Take the end of a checkpoint; the problem is empty if there was none."""
        ...


class ServiceProcess:
    """What the state machine need not know about a service: its process, its probes and times of the wall clock."""

    def __init__(self, owned: set[int], clock: Clock, forks: ForkServers) -> None:
        self.start_time_ms: int | None = None
        self.last_restart_time_ms: int | None = None
        self._owned: Final = owned
        self._clock: Final = clock
        self._forks: Final = forks
        self._started_at = 0.0
        self._child: ChildProcess | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def pid(self) -> int:
        """Return the process id, 0 if there is no process."""
        return 0 if self._child is None else self._child.pid

    @property
    def age_s(self) -> float:
        """Return the time since the last start."""
        return self._clock.monotonic() - self._started_at

    def start(self, spec: ServiceSpec, reports: Reports, *, crashed: bool) -> None:
        """Start a process and watch it; `crashed` if it replaces one that crashed. Raises OSError."""
        self.start_time_ms, self._started_at = self._clock.time_ms(), self._clock.monotonic()
        if crashed:
            self.last_restart_time_ms = self.start_time_ms
        for socket in spec.sockets:
            socket.unlink(missing_ok=True)
        self._child = ChildProcess(spec, self._owned, reports.output, reports.ended, self._forks)
        if spec.probe is not None:
            self._run(watch(spec.probe, spec.schedule, self._clock, reports.readiness, reports.slowness))
        if spec.liveness is not None:
            self._run(watch(spec.liveness, spec.liveness_schedule, self._clock, reports.liveness))

    def signal(self, number: signal.Signals, *, leader_only: bool = False) -> bool:
        """Send a signal to the process group, or to its leader only; False if there is no process."""
        if self._child is None:
            return False
        self._child.signal(number, leader_only=leader_only)
        return True

    def wake(self) -> None:
        """Continue a process group that is stopped, so that it can act on a signal."""
        if self._child is not None:
            self._child.wake()

    def checkpoint(self, spec: ServiceSpec, reports: Reports) -> None:
        """Begin what the stop plan wants before the first signal."""
        self._run(_checkpoint(spec, reports))

    def forget(self) -> list[asyncio.Task[None]]:
        """Have no process any more; returns the tasks around it, which are cancelled and must be waited for."""
        self._child, self.start_time_ms = None, None
        cancelled, self._tasks = [task for task in self._tasks if not task.done()], []
        for task in cancelled:
            task.cancel()
        return cancelled

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(work))


async def _checkpoint(spec: ServiceSpec, reports: Reports) -> None:
    assert spec.stop.checkpoint is not None
    problem = ""
    try:
        await probes.checkpoint(spec.stop.checkpoint)
    except (probes.NotReady, OSError, ValueError) as error:
        problem = str(error) or type(error).__name__
    reports.checkpointed(problem)
