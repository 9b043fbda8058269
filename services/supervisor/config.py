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
from services.supervisor.logs import LogSettings

NodeRuntime = Literal["chainlink", "embedded"]

# Below a container's usual grace period of 15 s and more, with a second to spare for our own end.
STOP_DEADLINE_S = 14.0


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the supervisor works and how it behaves; the plan is apart."""

    run_dir: RunDir
    logs: LogSettings
    stop_deadline_s: float = STOP_DEADLINE_S


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


def read(path: Path) -> Configuration:
    """Read the configuration; raises InvalidConfiguration."""
    return load(path)


def settings(configuration: Configuration) -> Settings:
    """Return the supervisor's own settings."""
    mesh = configuration.solution.mesh
    return Settings(RunDir(mesh.run_dir.absolute()), LogSettings(DataDir(mesh.data_dir.absolute()).logs))


def choose_runtime(wanted: Literal["auto", "chainlink", "embedded"], search_path: str | None) -> NodeRuntime:
    """Return the node program to run; raises InvalidPlan if chainlink is wanted and is not on the search path."""
    if wanted == "embedded":
        return "embedded"
    found = shutil.which("chainlink", path=search_path) is not None
    if wanted == "chainlink" and not found:
        raise InvalidPlan("solution.mesh.runtime", wanted, "embedded or auto, as there is no chainlink on the PATH")
    return "chainlink" if found else "embedded"
