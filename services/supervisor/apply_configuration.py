"""Change a running mesh to what a configuration file says now."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from meshkit import atomic_file
from meshkit.errors import FailedPrecondition
from meshkit.process import ports
from services.supervisor.config import Settings
from services.supervisor.errors import MeshStopping, PlanRefused, SettingsFixed
from services.supervisor.lifecycle import events_and_actions as msg
from services.supervisor.plan.consequences import consequences
from services.supervisor.plan.dependency_graph import DependencyGraph
from services.supervisor.plan.mesh_plan import TEMPLATES, MeshPlan
from services.supervisor.plan.plan_difference import ChangeKind, Difference, difference
from services.supervisor.run_dir_lock import RunDirLock
from services.supervisor.supervision_loop import SupervisionLoop

MakePlan = Callable[[Path, set[int]], Awaitable[MeshPlan]]
"""Makes the plan of a file, perhaps in a process of its own; while that runs its pid is in the set."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What a configuration file changes, and what follows from that in sentences."""

    difference: Difference
    consequences: tuple[str, ...]


class Applier:
    """Changes the plan of a running mesh. `path` is the file that the supervisor was started with, `plan` its plan."""

    def __init__(
        self,
        path: Path,
        plan: MeshPlan,
        supervision: SupervisionLoop,
        lock: RunDirLock,
        make_plan: Callable[[Path], Awaitable[MeshPlan]],
    ) -> None:
        self._path: Final = path
        self._plan = plan
        self._supervision = supervision
        self._lock = lock
        self._make_plan = make_plan
        self._turn = asyncio.Lock()

    async def apply(self, path: Path | None, *, dry_run: bool) -> Applied:
        """
        Return what the file changes and, unless it is only tried, begin to change it.

        Raises PlanRefused for a bad file, or templates that are all gone at once, SettingsFixed, PortInUse,
        MeshStopping, and FailedPrecondition if there is something to change while an earlier change goes on; nothing
        has changed then.
        """
        async with self._turn:
            old, new = self._plan, await self._make_plan(path or self._path)
            machine = self._supervision.machine
            if machine.stopping:
                raise MeshStopping
            check_settings(old.settings, new.settings)
            check_templates(old, new)
            found = difference(old, new)
            applied = Applied(found, consequences(old, new, found))
            ports.check(new.ports, held=old.ports)
            if dry_run:
                return applied
            if found.changes and machine.applying:
                raise FailedPrecondition("an earlier change of the configuration goes on; wait until it is done")
            write_configuration(new)
            self._lock.add(new.files)
            self._plan = new
            if found.changes:
                restarts = frozenset(each.name for each in found.changes if each.kind is ChangeKind.RESTARTED)
                await self._supervision.command(msg.Apply(DependencyGraph(new.services), restarts))
            return applied


def write_configuration(plan: MeshPlan) -> None:
    """Leave the configuration where the services read it."""
    atomic_file.replace(plan.configuration_copy, plan.configuration, 0o600, durable=False)
    for service, text in plan.masked.items():
        path = plan.settings.run_dir.masked(service)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        atomic_file.replace(path, text, 0o600, durable=False)


def check_templates(old: MeshPlan, new: MeshPlan) -> None:
    """Raise PlanRefused if a directory of templates has none any more: a disk that is not mounted looks like that."""
    if old.templates and not new.templates and old.keys.get(TEMPLATES) == new.keys.get(TEMPLATES):
        raise PlanRefused(
            f"{TEMPLATES}: found no template where there were {old.templates}, allowed: at least one of them, or null "
            "if all their feeds are to lose their jobs"
        )


def check_settings(fixed: Settings, wanted: Settings) -> None:
    """Raise SettingsFixed, which names the key, if something differs that a running mesh cannot change."""
    if wanted.run_dir != fixed.run_dir:
        raise SettingsFixed("solution.mesh.runDir")
    if wanted.logs.directory != fixed.logs.directory:
        raise SettingsFixed("solution.mesh.dataDir")
    if wanted.secrets_dir != fixed.secrets_dir:
        # With other keys the nodes would not be those that the contracts list.
        raise SettingsFixed("solution.spSecretsDir")
    if wanted != fixed:
        raise SettingsFixed("solution.mesh.supervisor: logFileBytes, logFiles, stopDeadlineSeconds, restartFilesDir")
