"""What the supervisor takes from the mesh's configuration for itself."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from meshkit.paths import DataDir, RunDir

if TYPE_CHECKING:
    # The supervisor never reads a configuration itself, and does without the 15 MB that takes.
    from meshkit.configuration.solution import Configuration


@dataclass(frozen=True, slots=True)
class LogSettings:
    """Where the log files are, how long each may grow and how many of one service are kept."""

    directory: Path
    limit_bytes: int = 10 * 1024 * 1024
    keep: int = 10


@dataclass(frozen=True, slots=True)
class Settings:
    """
    Where the supervisor works and how it behaves.

    The default deadline is below a container's usual grace period of 15 s, with a second to spare for our own end.
    """

    run_dir: RunDir
    logs: LogSettings
    stop_deadline_s: float = 14.0


def settings(configuration: "Configuration") -> Settings:
    """Return the supervisor's own settings."""
    mesh = configuration.solution.mesh
    ours = mesh.supervisor
    logs = LogSettings(DataDir(mesh.data_dir.absolute()).logs, ours.log_file_bytes, ours.log_files)
    return Settings(RunDir(mesh.run_dir.absolute()), logs, ours.stop_deadline_seconds)
