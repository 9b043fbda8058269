"""From a configuration file to a checked graph and the supervisor's settings."""

import sys
from collections.abc import Mapping
from pathlib import Path

from meshkit.paths import DataDir
from services.supervisor import config, faucet
from services.supervisor.config import PlanInput, Settings
from services.supervisor.graph import Graph
from services.supervisor.plan import plan


def assemble(path: Path, environment: Mapping[str, str]) -> tuple[Graph, Settings]:
    """Read the file and make the plan; raises InvalidConfiguration or InvalidPlan. Nothing is started or written."""
    configuration = config.read(path)
    solution = configuration.solution
    settings = config.settings(configuration)
    devchain = solution.mesh.devchain.enabled
    given = PlanInput(
        configuration=configuration,
        configuration_path=path.absolute(),
        run_dir=settings.run_dir,
        data_dir=DataDir(solution.mesh.data_dir.absolute()),
        runtime=config.choose_runtime(solution.mesh.runtime, environment.get("PATH")),
        python=sys.executable,
        environment=environment,
        faucet_address=faucet.address(solution.faucet_private_key.get_secret_value()) if devchain else "",
    )
    return Graph(plan(given)), settings
