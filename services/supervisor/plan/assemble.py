"""From a configuration file to a checked plan and the supervisor's settings."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from meshkit.paths import DataDir
from meshkit.server import LONGEST_SOCKET_PATH
from services.supervisor import config
from services.supervisor.config import PlanInput
from services.supervisor.errors import InvalidPlan
from services.supervisor.plan import faucet
from services.supervisor.plan.dependency_graph import Graph
from services.supervisor.plan.services import plan
from services.supervisor.plan.settings import Planned


def assemble(path: Path, environment: Mapping[str, str]) -> Planned:
    """Read the file and make the plan; raises InvalidConfiguration or InvalidPlan. Nothing is started or written."""
    configuration = config.read(path)
    solution = configuration.solution
    settings = config.settings(configuration)
    devchain = solution.mesh.devchain.enabled
    given = PlanInput(
        configuration=configuration,
        configuration_path=settings.run_dir.path / "configuration.json",
        run_dir=settings.run_dir,
        data_dir=DataDir(solution.mesh.data_dir.absolute()),
        runtime=config.choose_runtime(solution.mesh.runtime, environment.get("PATH")),
        python=sys.executable,
        environment=environment,
        faucet_address=faucet.address(solution.faucet_private_key.get_secret_value()) if devchain else "",
        is_root=os.geteuid() == 0,
    )
    graph = Graph(plan(given))
    for spec in graph.specs.values():
        for socket in spec.sockets:
            if len(os.fsencode(socket)) > LONGEST_SOCKET_PATH:
                allowed = f"a directory whose sockets have at most {LONGEST_SOCKET_PATH} bytes in their path"
                raise InvalidPlan("solution.mesh.runDir", str(settings.run_dir.path), allowed)
    return Planned(settings, tuple(graph.specs.values()), path.read_text())
