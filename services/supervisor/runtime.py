"""
The one loop that joins the machine with the processes.

    pidfd, pipe ──▶ Child ─────┬── Exited ──┐
    gRPC, HTTP … ─▶ probe.watch ── Probed ──┤                        ┌─▶ Child (spawn, signal)
    timer (next due) ───────────── Tick ────┼─▶ inbox ─▶ run() ──────┼─▶ probe.watch (start, cancel)
    SIGTERM, SIGINT ─────────── Shutdown ───┤            Machine     ├─▶ EventLog, LogHub.note, Counters
    SupervisorService ─ Start, Stop, … ─────┘                        └─▶ changed ─▶ who waits for a state
                        output of a Child ──▶ LogHub

Tasks: `run()` itself, one `probe.watch` for each probe of a process, and one for a checkpoint before a stop. The inbox
is the only queue; it is not bounded, because each producer puts one event at a time and nothing in it waits for
anybody. `run()` never awaits anything but the inbox, so from a death to the next process it is one turn of the loop.

Shutdown rule: `run()` returns after the machine says Finished, which is after every process has ended; it then cancels
the probes that are left and waits for them. What is asked for afterwards is refused with MeshStopping.
"""

import asyncio
import signal
from collections import deque
from collections.abc import Callable
from typing import Final

from meshkit.clock import Clock
from services.supervisor import events_and_actions as msg
from services.supervisor import state_machine as m
from services.supervisor.errors import MeshStopping
from services.supervisor.event_log import EventLog, View
from services.supervisor.logs.log_hub import LogHub
from services.supervisor.notifier import Pulse
from services.supervisor.plan.service_states import State
from services.supervisor.process.child import Child
from services.supervisor.process.exec_shim import CANNOT_EXECUTE
from services.supervisor.process.probes import NotReady, watch
from services.supervisor.restart_counters import Counters


class Process:
    """What the machine need not know about a service: its process and times of the wall clock."""

    def __init__(self) -> None:
        self.child: Child | None = None
        self.tasks: list[asyncio.Task[None]] = []
        self.start_time_ms: int | None = None
        self.last_restart_time_ms: int | None = None
        self.started_at = 0.0


class Runtime:
    """The running mesh: performs what the machine decides, and tells it what happens."""

    def __init__(self, machine: m.Machine, hub: LogHub, counters: Counters, clock: Clock) -> None:
        self.machine: Final = machine
        self.events: Final = EventLog()
        self.changed: Final = Pulse()
        self.startup_ms: int | None = None
        self.finished = False
        self._hub = hub
        self._counters = counters
        self._clock = clock
        self._processes = {name: Process() for name in machine.units}
        self._shown: dict[str, tuple[State, int]] = {}
        self._inbox: deque[msg.Event] = deque()
        self._wake = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._cancelled: list[asyncio.Task[None]] = []
        self._began_at = clock.monotonic()

    async def run(self) -> int:
        """Start the mesh, keep it up, and return the exit code once it has stopped; see the shutdown rule above."""
        for name in self.machine.units:
            self._counters.create(name)
        exit_code: int | None = None
        self.post(msg.Tick())
        try:
            while exit_code is None:
                await self._wake.wait()
                self._wake.clear()
                while self._inbox:
                    exit_code = self._handle(self._inbox.popleft(), exit_code)
                self._set_timer()
                self.changed.beat()
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

    def view(self, name: str) -> View:
        """Return what is shown of a service now."""
        unit, process = self.machine.units[name], self._processes[name]
        return View(
            name=name,
            kind=unit.spec.kind,
            state=unit.state,
            pid=process.child.pid if process.child else 0,
            restarts=unit.restarts,
            start_time_ms=process.start_time_ms,
            last_restart_time_ms=process.last_restart_time_ms,
            hangs=unit.hangs,
            last_exit=unit.last_exit,
            message=unit.message,
        )

    def signal(self, name: str, number: signal.Signals) -> bool:
        """Send a signal to a service's process group; False if it has no process."""
        child = self._processes[name].child
        if child is not None:
            child.signal(number)
        return child is not None

    # The loop's parts, none of which waits.

    def _handle(self, event: msg.Event, exit_code: int | None) -> int | None:
        if isinstance(event, msg.Exited):
            unit = self.machine.units.get(event.name)
            if unit is not None and event.run == unit.run:
                self._forget(self._processes[event.name])
        if isinstance(event, msg.Apply):
            self._welcome(event)
        was_stopping = self.machine.stopping
        actions = self.machine.handle(event, self._clock.monotonic())
        if self.machine.stopping and not was_stopping:
            self._hub.note(f"stopping: {self.machine.reason}")
        for action in actions:
            match action:
                case msg.Spawn():
                    self._spawn(action)
                case msg.Kill():
                    self._kill(action)
                case msg.Prepare():
                    self._processes[action.name].tasks.append(asyncio.create_task(self._prepare(action)))
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
            self._hub.note(f"all {len(self.machine.units)} services are up after {self.startup_ms / 1000:.1f} s")
        return exit_code

    def _spawn(self, action: msg.Spawn) -> None:
        name, run = action.name, action.run
        unit, process = self.machine.units[name], self._processes[name]
        process.start_time_ms, process.started_at = self._clock.time_ms(), self._clock.monotonic()
        if action.crashed:
            process.last_restart_time_ms = process.start_time_ms
            self._counters.write(name, unit.restarts, process.start_time_ms)
        try:
            for socket in unit.spec.sockets:
                socket.unlink(missing_ok=True)
            process.child = Child(
                unit.spec, lambda piece: self._hub.feed(name, piece), lambda code: self._ended(name, run, code)
            )
        except OSError as error:
            self._hub.feed(name, f"cannot start: {error}\n".encode())
            self.post(msg.Exited(name, run, CANNOT_EXECUTE))
            return
        spec, report = unit.spec, _Report(self, name, run)
        if spec.probe is not None:
            watching = watch(spec.probe, spec.schedule, self._clock, report.readiness, report.slowness)
            process.tasks.append(asyncio.create_task(watching))
        if spec.liveness is not None:
            watching = watch(spec.liveness, spec.liveness_schedule, self._clock, report.liveness)
            process.tasks.append(asyncio.create_task(watching))

    def _ended(self, name: str, run: int, code: int) -> None:
        self._hub.end(name)
        self.post(msg.Exited(name, run, code))

    def _forget(self, process: Process) -> None:
        process.child, process.start_time_ms = None, None
        for task in process.tasks:
            task.cancel()
        self._cancelled = [task for task in (*self._cancelled, *process.tasks) if not task.done()]
        process.tasks = []

    def _welcome(self, event: msg.Apply) -> None:
        """Make room for the services that a new plan adds."""
        for name in event.graph.order:
            if name not in self._processes:
                self._processes[name] = Process()
                self._counters.create(name)
                self._hub.add(name)
                self._shown.pop(name, None)

    async def _prepare(self, action: msg.Prepare) -> None:
        checkpoint = self.machine.units[action.name].spec.stop.checkpoint
        assert checkpoint is not None
        try:
            await checkpoint.checkpoint()
        except (NotReady, OSError, ValueError) as error:
            self._hub.note(f"{action.name} makes no checkpoint before its stop: {error}")
        self.post(msg.Prepared(action.name, action.run))

    def _kill(self, action: msg.Kill) -> None:
        child = self._processes[action.name].child
        if child is not None:
            if action.signal is signal.SIGKILL:
                hangs = self.machine.units[action.name].hung
                reason = f"hangs ({hangs})" if hangs else "did not stop in time"
                self._hub.note(f"{action.name} is killed, because it {reason}")
            child.signal(action.signal, leader_only=action.leader_only)
            child.wake()

    def _publish(self, name: str) -> None:
        view = self.view(name)
        self.events.add(view)
        shown = (view.state, self.machine.units[name].run)
        if shown != self._shown.get(name, (State.PENDING, 0)):
            self._shown[name] = shown
            self._hub.note(f"{name} {self._in_words(view)}")

    def _in_words(self, view: View) -> str:
        after_s = self._clock.monotonic() - self._processes[view.name].started_at
        match view.state:
            case State.STARTING:
                return f"starting (pid {view.pid})"
            case State.HEALTHY if self.machine.units[view.name].spec.probe is None:
                return f"started (pid {view.pid})"
            case State.HEALTHY | State.COMPLETED:
                return f"{view.state.name.lower()} after {after_s:.1f} s"
            case State.STOPPED if view.last_exit:
                return f"stopped ({view.last_exit})"
            case _:
                return f"{view.state.name.lower()}{': ' if view.message else ''}{view.message}"

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
            if process.child is not None:
                process.child.signal(signal.SIGKILL)
            self._forget(process)
        await asyncio.gather(*self._cancelled, return_exceptions=True)
        self.finished = True
        self.changed.beat()
        self.events.changed.beat()


class _Report:
    """Turn a probe's answers into events of one run."""

    def __init__(self, runtime: Runtime, name: str, run: int) -> None:
        self._runtime = runtime
        self._name = name
        self._run = run

    def readiness(self, ready: bool, reason: str) -> None:
        self._runtime.post(msg.Probed(self._name, self._run, ready, reason))

    def slowness(self, reason: str) -> None:
        self._runtime.post(msg.Probed(self._name, self._run, False, reason))

    def liveness(self, alive: bool, reason: str) -> None:
        if not alive:
            self._runtime.post(msg.Hung(self._name, self._run, reason))
