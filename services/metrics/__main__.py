"""Run the metrics service: python -m services.metrics, with FEEDMESH_CONFIG and FEEDMESH_RUN_DIR."""

import os
from pathlib import Path

from meshkit.clock import SystemClock
from meshkit.configuration.load import load
from meshkit.errors import InvalidInput
from meshkit.log import configure
from meshkit.paths import CONFIG_VARIABLE, RunDir, default_run_dir
from meshkit.runtime import run
from services.metrics.app import serve
from services.metrics.config import from_configuration


async def main() -> None:
    """Read the configuration and serve."""
    path = os.environ.get(CONFIG_VARIABLE)
    if path is None:
        raise InvalidInput(CONFIG_VARIABLE, path, "the path of configuration.json")
    configuration = load(Path(path))
    await serve(from_configuration(configuration), RunDir(default_run_dir()), SystemClock())


if __name__ == "__main__":
    configure("process-metrics")
    run(main)
