"""Run the price aggregator: python -m services.aggregator, with FEEDMESH_CONFIG and FEEDMESH_RUN_DIR."""

import gc

# What imports make stays; looking through it again and again takes a tenth of a start. `runtime.run` begins with it.
gc.disable()

import os

from meshkit import log
from meshkit.configuration.keys_by_service import AGGREGATOR
from meshkit.configuration.load import load_from_environment
from meshkit.paths import RunDir, default_run_dir
from meshkit.process.runtime import run
from services.aggregator import app, config


async def main() -> None:
    """Read the configuration and serve until SIGTERM or SIGINT."""
    log.configure("price-aggregator")
    configuration = load_from_environment(os.environ, AGGREGATOR)
    settings = config.read(configuration)
    log.configure("price-aggregator", settings.log_level)
    await app.serve(configuration, settings, RunDir(default_run_dir()))


if __name__ == "__main__":
    run(main)
