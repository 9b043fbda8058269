"""
The one loop that joins the state machine with the processes.

    pidfd, pipe ──▶ ChildProcess ─┬── Exited ──┐
    gRPC, HTTP … ─▶ watch ────────┴── Probed ──┤                      ┌─▶ ServiceProcess (start, signal, watch)
    timer (next due) ─────────────────── Tick ─┼─▶ inbox ─▶ run() ────┼─▶ StateChanges, LogCollector, RestartCounters
    SIGTERM, SIGINT ──────────────── Shutdown ─┤          StateMachine └─▶ changed ─▶ who waits for a state
    SupervisorService ──── Start, Stop, … ─────┘
                          output of a ChildProcess ──▶ LogCollector

Tasks: `run()` itself, one `watch` for each probe of a process, and one for a checkpoint before a stop. The inbox is the
only queue; it is not bounded, because each producer puts one event at a time and nothing in it waits for anybody.
`run()` never awaits anything but the inbox, so from a death to the next process it is one turn of the loop.

Shutdown rule: `run()` returns after the machine says Finished, which is after every process has ended; it then cancels
the probes that are left and waits for them. What is asked for afterwards is refused with MeshStopping.
"""

import asyncio
import signal
from collections import deque
from collections.abc import Callable
from typing import Final

from meshkit.clock import Clock
from meshkit.process.exec_shim import CANNOT_EXECUTE
from services.supervisor.errors import MeshStopping
from services.supervisor.lifecycle import events_and_actions as msg
from services.supervisor.lifecycle.service_states import State
from services.supervisor.lifecycle.state_machine import StateMachine
from services.supervisor.logs.log_collector import LogCollector
from services.supervisor.notifier import Notifier
from services.supervisor.process.forked_process import ForkServers
from services.supervisor.process.service_process import ServiceProcess
from services.supervisor.restart_counters import RestartCounters
from services.supervisor.state_changes import ServiceStatus, StateChanges


class SupervisionLoop:
    """
    The running mesh: performs what the state machine decides, and tells it what happens.

    `owned` has the process ids that are waited for here, see `OrphanReaper`.
    """

    def __init__(
        self, machine: StateMachine, logs: LogCollector, counters: RestartCounters, clock: Clock, owned: set[int]
    ) -> None:
        self.machine: Final = machine
        self.changes: Final = StateChanges()
        self.changed: Final = Notifier()
        self.startup_ms: int | None = None
        self.finished = False
        self._logs = logs
        self._counters = counters
        self._clock = clock
        self._owned = owned
        self._forks = ForkServers(owned)
        self._processes = {name: ServiceProcess(owned, clock, self._forks) for name in machine.services}
        self._shown: dict[str, tuple[State, int]] = {}
        self._inbox: deque[msg.Event] = deque()
        self._wake = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._cancelled: list[asyncio.Task[None]] = []
        self._began_at = clock.monotonic()

    async def run(self) -> int:
        """Start the mesh, keep it up, and return the exit code once it has stopped; see the shutdown rule above."""
        for name, service in self.machine.services.items():
            self._counters.create(name)
            self._forks.prepare(service.spec)
        exit_code: int | None = None
        self.post(msg.Tick())
        try:
            while exit_code is None:
                await self._wake.wait()
                self._wake.clear()
                while self._inbox:
                    exit_code = self._handle(self._inbox.popleft(), exit_code)
                self._set_timer()
                self.changed.notify()
        finally:
            await self._end()
        return exit_code

    def post(self, event: msg.Event) -> None:
        """Put an event into the inbox; from the loop's thread only."""
        self._inbox.append(event)
        self._wake.set()

    async def command(self, event: msg.Start | msg.Stop | msg.Restart | msg.Apply | msg.Shutdown) -> None:
        """Have an event handled, and return when it has been; raises MeshStopping during and after the shutdown."""
        if self.machine.stopping or self.finished:
            raise MeshStopping
        self.post(event)
        await self.until(lambda: not self._inbox)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return when the condition holds; raises MeshStopping if the mesh ends before."""
        while not condition():
            if self.finished:
                raise MeshStopping
            await self.changed.wait()

    def status(self, name: str) -> ServiceStatus:
        """Return what is shown of a service now."""
        service, process = self.machine.services[name], self._processes[name]
        return ServiceStatus(
            name=name,
            kind=service.spec.kind,
            state=service.state,
            pid=process.pid,
            restarts=service.restarts,
            start_time_ms=process.start_time_ms,
            last_restart_time_ms=process.last_restart_time_ms,
            hangs=service.hangs,
            last_exit=service.last_exit,
            message=service.message,
            removed=service.retiring and not service.alive,
            runtime=service.spec.runtime,
        )

    def signal(self, name: str, number: signal.Signals) -> bool:
        """Send a signal to a service's process group; False if it has no process."""
        return self._processes[name].signal(number)

    # The loop's parts, none of which waits.

    def _handle(self, event: msg.Event, exit_code: int | None) -> int | None:
        if isinstance(event, msg.Exited):
            service = self.machine.services.get(event.name)
            if service is not None and event.run == service.run:
                self._forget(self._processes[event.name])
        if isinstance(event, msg.Apply):
            self._make_room(event)
        was_stopping = self.machine.stopping
        actions = self.machine.handle(event, self._clock.monotonic())
        if self.machine.stopping and not was_stopping:
            self._logs.note(f"stopping: {self.machine.reason}")
        for action in actions:
            match action:
                case msg.Spawn():
                    self._spawn(action)
                case msg.Kill():
                    self._kill(action)
                case msg.Prepare():
                    reports = _Reports(self, self._logs, action.name, action.run)
                    self._processes[action.name].checkpoint(self.machine.services[action.name].spec, reports)
                case msg.Changed():
                    self._publish(action.name)
                case msg.Removed():
                    self.machine.forget(action.name)
                    del self._processes[action.name]
                    self._counters.forget(action.name)
                case msg.Finished():
                    exit_code = action.exit_code
        if self.startup_ms is None and self.machine.ready:
            self.startup_ms = round((self._clock.monotonic() - self._began_at) * 1000)
            self._logs.note(f"all {len(self.machine.services)} services are up after {self.startup_ms / 1000:.1f} s")
        return exit_code

    def _spawn(self, action: msg.Spawn) -> None:
        name, process = action.name, self._processes[action.name]
        service = self.machine.services[name]
        try:
            process.start(service.spec, _Reports(self, self._logs, name, action.run), crashed=action.crashed)
        except OSError as error:
            self._logs.feed(name, f"cannot start: {error}\n".encode())
            self.post(msg.Exited(name, action.run, CANNOT_EXECUTE))
        if action.crashed:
            self._counters.write(name, service.restarts, process.last_restart_time_ms or 0)

    def _forget(self, process: ServiceProcess) -> None:
        self._cancelled = [task for task in (*self._cancelled, *process.forget()) if not task.done()]

    def _make_room(self, event: msg.Apply) -> None:
        """Make room for the services that a new plan adds."""
        for name in event.graph.order:
            if name not in self._processes:
                self._processes[name] = ServiceProcess(self._owned, self._clock, self._forks)
                self._counters.create(name)
                self._logs.add(name)
                self._shown.pop(name, None)

    def _kill(self, action: msg.Kill) -> None:
        process = self._processes[action.name]
        if process.pid and action.signal is signal.SIGKILL:
            hung = self.machine.services[action.name].hung
            reason = f"hangs ({hung})" if hung else "did not stop in time"
            self._logs.note(f"{action.name} is killed, because it {reason}")
        process.signal(action.signal, leader_only=action.leader_only)
        process.wake()

    def _publish(self, name: str) -> None:
        status = self.status(name)
        self.changes.add(status)
        shown = (status.state, self.machine.services[name].run)
        if shown != self._shown.get(name, (State.PENDING, 0)):
            self._shown[name] = shown
            self._logs.note(f"{name} {self._in_words(status)}")

    def _in_words(self, status: ServiceStatus) -> str:
        match status.state:
            case State.STARTING:
                return f"starting (pid {status.pid})"
            case State.HEALTHY if self.machine.services[status.name].spec.probe is None:
                return f"started (pid {status.pid})"
            case State.HEALTHY | State.COMPLETED:
                return f"{status.state.name.lower()} after {self._processes[status.name].age_s:.1f} s"
            case State.STOPPED if status.last_exit:
                return f"stopped ({status.last_exit})"
            case _:
                return f"{status.state.name.lower()}{': ' if status.message else ''}{status.message}"

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self.machine.next_due()
        if due is not None:
            delay_s = max(0.0, due - self._clock.monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay_s, self.post, msg.Tick())

    async def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for process in self._processes.values():
            # Nobody is left after an ordered stop; a defect of ours must not leave orphans either.
            process.signal(signal.SIGKILL)
            self._forget(process)
        self._forks.close()
        await asyncio.gather(*self._cancelled, return_exceptions=True)
        self.finished = True
        self.changed.notify()
        self.changes.changed.notify()


class _Reports:
    """Turn what happens to one process into its log and into events of its run."""

    def __init__(self, supervision: SupervisionLoop, logs: LogCollector, name: str, run: int) -> None:
        self._supervision = supervision
        self._logs = logs
        self._name = name
        self._run = run

    def output(self, piece: bytes) -> None:
        self._logs.feed(self._name, piece)

    def ended(self, code: int) -> None:
        self._logs.end(self._name)
        self._supervision.post(msg.Exited(self._name, self._run, code))

    def readiness(self, ready: bool, reason: str) -> None:
        self._supervision.post(msg.Probed(self._name, self._run, ready, reason))

    def slowness(self, reason: str) -> None:
        self._supervision.post(msg.Probed(self._name, self._run, False, reason))

    def liveness(self, alive: bool, reason: str) -> None:
        if not alive:
            self._supervision.post(msg.Hung(self._name, self._run, reason))

    def checkpointed(self, problem: str) -> None:
        if problem:
            self._logs.note(f"{self._name} makes no checkpoint before its stop: {problem}")
        self._supervision.post(msg.Prepared(self._name, self._run))
