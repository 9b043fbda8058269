"""Change a running mesh to what a configuration file says now."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from meshkit.errors import FailedPrecondition
from services.supervisor import events_and_actions as msg
from services.supervisor.errors import MeshStopping, SettingsFixed
from services.supervisor.plan.dependency_graph import Graph
from services.supervisor.plan.plan_difference import Change, ChangeKind, difference
from services.supervisor.plan.port_check import check_ports
from services.supervisor.plan.settings import Planned, Settings
from services.supervisor.run_lock import RunLock
from services.supervisor.runtime import Runtime

Planner = Callable[[Path], Awaitable[Planned]]


class Applier:
    """The one who changes the plan. `path` is the file that the supervisor was started with."""

    def __init__(self, path: Path, settings: Settings, runtime: Runtime, lock: RunLock, planner: Planner) -> None:
        self._path: Final = path
        self._settings = settings
        self._runtime = runtime
        self._lock = lock
        self._planner = planner
        self._turn = asyncio.Lock()

    async def apply(self, path: Path | None, *, dry_run: bool) -> list[Change]:
        """
        Return what the file changes and, unless it is only tried, begin to change it.

        Raises PlanRefused for a bad file, SettingsFixed, PortInUse, MeshStopping, and FailedPrecondition while an
        earlier change goes on; nothing has changed then.
        """
        async with self._turn:
            planned = await self._planner(path or self._path)
            machine = self._runtime.machine
            if machine.stopping:
                raise MeshStopping
            if machine.applying:
                raise FailedPrecondition("an earlier change of the configuration goes on; wait until it is done")
            self._check_settings(planned.settings)
            graph, old = Graph(planned.services), machine.graph.specs
            changes = difference(old, graph.specs)
            held = {port for spec in old.values() for port in spec.ports}
            check_ports(graph.specs.values(), held)
            if dry_run:
                return changes
            write_configuration(planned)
            self._lock.add(files_of(planned))
            restarts = frozenset(change.name for change in changes if change.kind is ChangeKind.RESTARTED)
            await self._runtime.command(msg.Apply(graph, restarts))
            return changes

    def _check_settings(self, wanted: Settings) -> None:
        if wanted.run_dir != self._settings.run_dir:
            raise SettingsFixed("solution.mesh.runDir")
        if wanted.logs.directory != self._settings.logs.directory:
            raise SettingsFixed("solution.mesh.dataDir")
        if wanted != self._settings:
            raise SettingsFixed("solution.mesh.supervisor: logFileBytes, logFiles, stopDeadlineSeconds")


def write_configuration(planned: Planned) -> None:
    """Leave the configuration where the services read it."""
    path = _copy(planned)
    new = path.with_name(f".{path.name}")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:  # noqa: PTH123
        file.write(planned.configuration)
    new.replace(path)


def files_of(planned: Planned) -> list[Path]:
    """Return the files that a supervisor and its services leave in the run directory when they are killed."""
    files = [planned.settings.run_dir.socket("supervisor"), _copy(planned)]
    for spec in planned.services:
        files += [*spec.sockets, *spec.leftovers]
    return files


def _copy(planned: Planned) -> Path:
    return planned.settings.run_dir.path / "configuration.json"
