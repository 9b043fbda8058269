"""Plans to compare."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from meshkit.configuration.node_program import NodeRuntime
from meshkit.paths import RunDir
from services.supervisor.config import LogSettings, Settings
from services.supervisor.plan.mesh_plan import MeshPlan
from services.supervisor.plan.service_spec import ServiceSpec

Edit = Callable[[dict[str, Any]], object]
RUNTIMES: Final[tuple[NodeRuntime, ...]] = ("embedded", "chainlink")
Plans = Callable[[Edit], tuple[MeshPlan, MeshPlan]]


def plan_of(*specs: ServiceSpec) -> MeshPlan:
    """Return a plan of some services."""
    return MeshPlan(Settings(RunDir(Path("/run/x")), LogSettings(Path("/x"))), specs)


def all_run(runtime: NodeRuntime) -> dict[int, NodeRuntime]:
    """Return the runtimes of a mesh of five nodes that all run one program."""
    return dict.fromkeys(range(1, 6), runtime)
