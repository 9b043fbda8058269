"""
The supervisor's errors.

    meshkit.errors.MeshError
    ├── InvalidInput
    │   └── InvalidPlan          the services cannot be ordered, or two of them want the same thing
    └── FailedPrecondition
        ├── PlanRefused          the configuration file is not valid, or has no plan
        ├── SettingsFixed        a new configuration differs in what holds for the supervisor's whole life
        ├── AlreadyRunning       another supervisor holds the run directory
        └── MeshStopping         the call came while the mesh stops
"""

from pathlib import Path

from meshkit.errors import FailedPrecondition, InvalidInput


class InvalidPlan(InvalidInput):
    """The services cannot be ordered, or two of them want the same thing."""

    reason = "INVALID_PLAN"


class PlanRefused(FailedPrecondition):
    """The configuration file is not valid, or has no plan; the text names every problem."""

    reason = "INVALID_CONFIGURATION"


class SettingsFixed(FailedPrecondition):
    """A new configuration differs in what holds for the supervisor's whole life."""

    reason = "SETTINGS_FIXED"

    def __init__(self, field: str) -> None:
        super().__init__(f"{field} cannot change while the mesh runs; stop it and start it again")
        self.field = field


class AlreadyRunning(FailedPrecondition):
    """Another supervisor holds the run directory; `pid` is 0 when it is not known."""

    reason = "ALREADY_RUNNING"

    def __init__(self, run_dir: Path, pid: int) -> None:
        super().__init__(f"another supervisor (pid {pid or 'unknown'}) is running in {run_dir}; stop it first")
        self.run_dir = run_dir
        self.pid = pid


class MeshStopping(FailedPrecondition):
    """The call came while the mesh stops."""

    reason = "MESH_STOPPING"

    def __init__(self) -> None:
        super().__init__("the mesh is stopping")
