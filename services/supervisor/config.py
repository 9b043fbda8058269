"""What the supervisor takes from the mesh's configuration."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from meshkit.configuration.load import load
from meshkit.configuration.solution import Configuration
from meshkit.paths import DataDir, RunDir
from services.supervisor.errors import InvalidPlan
from services.supervisor.plan.settings import LogSettings, Settings

NodeRuntime = Literal["chainlink", "embedded"]


@dataclass(frozen=True, slots=True)
class PlanInput:
    """Everything the plan depends on, read once: the configuration's values and what the host offers."""

    configuration: Configuration
    configuration_path: Path
    run_dir: RunDir
    data_dir: DataDir
    runtime: NodeRuntime
    python: str
    environment: Mapping[str, str]
    faucet_address: str = ""
    is_root: bool = False


def read(path: Path) -> Configuration:
    """Read the configuration; raises InvalidConfiguration."""
    return load(path)


def settings(configuration: Configuration) -> Settings:
    """Return the supervisor's own settings."""
    mesh = configuration.solution.mesh
    ours = mesh.supervisor
    logs = LogSettings(DataDir(mesh.data_dir.absolute()).logs, ours.log_file_bytes, ours.log_files)
    return Settings(RunDir(mesh.run_dir.absolute()), logs, ours.stop_deadline_seconds)


def choose_runtime(wanted: Literal["auto", "chainlink", "embedded"], search_path: str | None) -> NodeRuntime:
    """Return the node program to run; raises InvalidPlan if chainlink is wanted and is not on the search path."""
    if wanted == "embedded":
        return "embedded"
    found = shutil.which("chainlink", path=search_path) is not None
    if wanted == "chainlink" and not found:
        raise InvalidPlan("solution.mesh.runtime", wanted, "embedded or auto, as there is no chainlink on the PATH")
    return "chainlink" if found else "embedded"
