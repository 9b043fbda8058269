"""What the supervisor itself needs to know, as plain values."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from meshkit.paths import RunDir
from services.supervisor.plan.service_spec import ServiceSpec

# Below a container's usual grace period of 15 s and more, with a second to spare for our own end.
STOP_DEADLINE_S: Final = 14.0


@dataclass(frozen=True, slots=True)
class LogSettings:
    """Where the log files are, how long each may grow and how many of one service are kept."""

    directory: Path
    limit_bytes: int = 10 * 1024 * 1024
    keep: int = 10


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the supervisor works and how it behaves."""

    run_dir: RunDir
    logs: LogSettings
    stop_deadline_s: float = STOP_DEADLINE_S


@dataclass(frozen=True, slots=True)
class Planned:
    """
    Everything that follows from a configuration file.

    `configuration` is the file's text as it was read; its copy in the run directory is what the services read, so that
    an edit of the file has no effect on a mesh that runs before it is applied.
    """

    settings: Settings
    services: tuple[ServiceSpec, ...]
    configuration: str = field(default="", repr=False)
