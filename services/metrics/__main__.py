"""Run the metrics service: python -m services.metrics, with FEEDMESH_CONFIG and FEEDMESH_RUN_DIR."""

import gc

# What imports make stays; looking through it again and again takes a tenth of a start. `runtime.run` begins with it.
gc.disable()

import os

from meshkit.clock import SystemClock
from meshkit.configuration.keys_by_service import METRICS
from meshkit.configuration.load import load_from_environment
from meshkit.log import configure
from meshkit.paths import RunDir, default_run_dir
from meshkit.process.runtime import run
from services.metrics.app import serve
from services.metrics.config import from_configuration


async def main() -> None:
    """Read the configuration and serve."""
    configuration = load_from_environment(os.environ, METRICS)
    await serve(from_configuration(configuration), RunDir(default_run_dir()), SystemClock())


if __name__ == "__main__":
    configure("process-metrics")
    run(main)
