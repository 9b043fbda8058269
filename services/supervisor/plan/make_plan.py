"""From a configuration file to a checked plan."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from meshkit.configuration.keys_by_service import SUPERVISOR
from meshkit.configuration.load import load, read_document
from meshkit.configuration.masked_configuration import masked
from meshkit.configuration.model import set_without_effect
from meshkit.configuration.solution import Configuration
from meshkit.paths import LONGEST_SOCKET_PATH
from services.supervisor import config
from services.supervisor.errors import InvalidPlan
from services.supervisor.plan.dependency_graph import DependencyGraph
from services.supervisor.plan.key_digests import digests
from services.supervisor.plan.mesh_plan import MeshPlan
from services.supervisor.plan.plan_input import gather
from services.supervisor.plan.service_definitions import services_of
from services.supervisor.plan.service_users import CONFIGURATION_READERS


def make_plan(path: Path, environment: Mapping[str, str]) -> MeshPlan:
    """Read the file and make the plan; raises InvalidConfiguration or InvalidPlan. Nothing is started or written."""
    whole = load(path)
    configuration = SUPERVISOR.view(whole)
    settings = config.settings(configuration, environment)
    given = gather(configuration, settings, environment)
    graph = DependencyGraph(services_of(given))
    for spec in graph.specs.values():
        for socket in spec.sockets:
            if len(os.fsencode(socket)) > LONGEST_SOCKET_PATH:
                allowed = f"a directory whose sockets have at most {LONGEST_SOCKET_PATH} bytes in their path"
                raise InvalidPlan("solution.mesh.runDir", str(settings.run_dir.path), allowed)
    mesh = configuration.solution.mesh
    return MeshPlan(
        settings,
        services=tuple(graph.specs.values()),
        configuration=path.read_text(),
        keys=digests(whole),
        feeds={name: mesh.contracts.addresses.get(name, "") for name in mesh.feeds},
        may_deploy=mesh.contracts.deploy,
        nodes=configuration.solution.total_nodes,
        bootstrap_nodes=configuration.solution.bootstrap_nodes,
        without_effect=dict(set_without_effect(whole.solution, "solution")),
        group=given.accounts.group,
        masked={} if given.accounts.group is None else _masked(path, whole),
    )


def _masked(path: Path, configuration: Configuration) -> dict[str, str]:
    document = read_document(path)
    return {
        service: json.dumps(masked(document, configuration, keys)) for service, keys in CONFIGURATION_READERS.items()
    }
