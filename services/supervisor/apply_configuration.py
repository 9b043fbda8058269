"""Change a running mesh to what a configuration file says now."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from meshkit import atomic_file, ports
from meshkit.errors import FailedPrecondition
from services.supervisor.config import Settings
from services.supervisor.errors import MeshStopping, SettingsFixed
from services.supervisor.lifecycle import events_and_actions as msg
from services.supervisor.plan.dependency_graph import DependencyGraph
from services.supervisor.plan.mesh_plan import MeshPlan
from services.supervisor.plan.plan_difference import Change, ChangeKind, difference
from services.supervisor.run_dir_lock import RunDirLock
from services.supervisor.supervision_loop import SupervisionLoop

MakePlan = Callable[[Path, set[int]], Awaitable[MeshPlan]]
"""Makes the plan of a file, perhaps in a process of its own; while that runs its pid is in the set."""


class Applier:
    """Changes the plan of a running mesh. `path` is the file that the supervisor was started with."""

    def __init__(
        self,
        path: Path,
        settings: Settings,
        supervision: SupervisionLoop,
        lock: RunDirLock,
        make_plan: Callable[[Path], Awaitable[MeshPlan]],
    ) -> None:
        self._path: Final = path
        self._settings = settings
        self._supervision = supervision
        self._lock = lock
        self._make_plan = make_plan
        self._turn = asyncio.Lock()

    async def apply(self, path: Path | None, *, dry_run: bool) -> list[Change]:
        """
        Return what the file changes and, unless it is only tried, begin to change it.

        Raises PlanRefused for a bad file, SettingsFixed, PortInUse, MeshStopping, and FailedPrecondition if there is
        something to change while an earlier change goes on; nothing has changed then.
        """
        async with self._turn:
            plan = await self._make_plan(path or self._path)
            machine = self._supervision.machine
            if machine.stopping:
                raise MeshStopping
            self._check_settings(plan.settings)
            graph, old = DependencyGraph(plan.services), machine.graph.specs
            changes = difference(old, graph.specs)
            held = {port for spec in old.values() for port in spec.ports}
            ports.check(plan.ports, held)
            if dry_run:
                return changes
            if changes and machine.applying:
                raise FailedPrecondition("an earlier change of the configuration goes on; wait until it is done")
            write_configuration(plan)
            self._lock.add(plan.files)
            restarts = frozenset(change.name for change in changes if change.kind is ChangeKind.RESTARTED)
            if changes:
                await self._supervision.command(msg.Apply(graph, restarts))
            return changes

    def _check_settings(self, wanted: Settings) -> None:
        if wanted.run_dir != self._settings.run_dir:
            raise SettingsFixed("solution.mesh.runDir")
        if wanted.logs.directory != self._settings.logs.directory:
            raise SettingsFixed("solution.mesh.dataDir")
        if wanted != self._settings:
            raise SettingsFixed("solution.mesh.supervisor: logFileBytes, logFiles, stopDeadlineSeconds")


def write_configuration(plan: MeshPlan) -> None:
    """Leave the configuration where the services read it."""
    atomic_file.replace(plan.configuration_copy, plan.configuration, 0o600, durable=False)
