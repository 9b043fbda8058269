"""From a configuration file to a checked plan."""

import os
from collections.abc import Mapping
from pathlib import Path

from meshkit.configuration.load import load
from meshkit.server import LONGEST_SOCKET_PATH
from services.supervisor import config
from services.supervisor.errors import InvalidPlan
from services.supervisor.plan.dependency_graph import DependencyGraph
from services.supervisor.plan.mesh_plan import MeshPlan
from services.supervisor.plan.plan_input import gather
from services.supervisor.plan.service_definitions import services_of


def make_plan(path: Path, environment: Mapping[str, str]) -> MeshPlan:
    """Read the file and make the plan; raises InvalidConfiguration or InvalidPlan. Nothing is started or written."""
    configuration = load(path)
    settings = config.settings(configuration)
    given = gather(configuration, settings, environment)
    graph = DependencyGraph(services_of(given))
    for spec in graph.specs.values():
        for socket in spec.sockets:
            if len(os.fsencode(socket)) > LONGEST_SOCKET_PATH:
                allowed = f"a directory whose sockets have at most {LONGEST_SOCKET_PATH} bytes in their path"
                raise InvalidPlan("solution.mesh.runDir", str(settings.run_dir.path), allowed)
    return MeshPlan(settings, tuple(graph.specs.values()), path.read_text(), given.accounts.group)
