"""What the supervisor takes from the mesh's configuration for itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from meshkit.paths import DataDir, RunDir

if TYPE_CHECKING:
    # The supervisor never reads a configuration itself, and does without the 15 MB that takes.
    from meshkit.configuration.solution import Configuration

# As the image has it, whose monitoring reads /run/service.
RESTART_FILES_VARIABLE: Final = "FEEDMESH_RESTART_FILES_DIR"


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
    restart_files_dir: Path | None = None
    secrets_dir: Path = Path("/sp/secrets")

    @property
    def restart_files(self) -> Path:
        """Return the directory of all services' restart counters."""
        return self.restart_files_dir or self.run_dir.restart_files


def settings(configuration: "Configuration", environment: Mapping[str, str]) -> Settings:
    """Return the supervisor's own settings; the environment says where the file says nothing."""
    mesh = configuration.solution.mesh
    ours = mesh.supervisor
    logs = LogSettings(DataDir(mesh.data_dir.absolute()).logs, ours.log_file_bytes, ours.log_files)
    configured = ours.restart_files_dir or environment.get(RESTART_FILES_VARIABLE)
    restart_files_dir = Path(configured).absolute() if configured else None
    secrets_dir = Path(configuration.solution.sp_secrets_dir).absolute()
    return Settings(RunDir(mesh.run_dir.absolute()), logs, ours.stop_deadline_seconds, restart_files_dir, secrets_dir)
