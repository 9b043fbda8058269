"""From a configuration file to a checked plan."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from meshkit.configuration import start_check
from meshkit.configuration.faults.problem import InvalidConfiguration, Problem
from meshkit.configuration.feeds.served_feeds import ServedFeed, feed_list
from meshkit.configuration.keys_by_service import SUPERVISOR
from meshkit.configuration.masked_configuration import masked
from meshkit.configuration.model import set_without_effect
from meshkit.configuration.node_program import PROGRAM_VARIABLE, NodeRuntime, RuntimeName, wanted_runtime
from meshkit.configuration.solution import Configuration
from meshkit.configuration.start_check import Checked
from meshkit.paths import LONGEST_SOCKET_PATH
from services.supervisor import config
from services.supervisor.errors import InvalidPlan
from services.supervisor.plan.dependency_graph import DependencyGraph
from services.supervisor.plan.key_digests import digests
from services.supervisor.plan.memory_need import shortage
from services.supervisor.plan.mesh_plan import MeshPlan
from services.supervisor.plan.plan_input import gather
from services.supervisor.plan.service_definitions import services_of
from services.supervisor.plan.service_users import CONFIGURATION_READERS


def make_plan(path: Path, environment: Mapping[str, str]) -> MeshPlan:
    """Read the file once and make the plan; raises InvalidConfiguration. Nothing is started or written."""
    plan, given = try_plan(path, environment)
    if plan is None or given.problems:
        raise InvalidConfiguration(path, given.problems)
    return plan


def try_plan(path: Path, environment: Mapping[str, str]) -> tuple[MeshPlan | None, Checked]:
    """
    Return the plan as far as there is one, and what was found in the file with all that is wrong with it.

    Raises:
        InvalidConfiguration: for a file that is no JSON.
    """
    given = start_check.check(path, environment)
    if given.configuration is None:
        return None, given
    try:
        return _plan(given, given.configuration, environment), given
    except InvalidPlan as error:
        problem = Problem(tuple(error.field.split(".")), str(error.found), error.allowed)
        # What is wrong with the values shows in the services again.
        told = given.problems if given.problems and problem.place[0] == "services" else (*given.problems, problem)
        return None, start_check.with_problems(given, told)


def _plan(given: Checked, whole: Configuration, environment: Mapping[str, str]) -> MeshPlan:
    configuration = SUPERVISOR.view(whole)
    settings = config.settings(configuration, environment)
    host = gather(configuration, settings, environment)
    listing = feed_list(configuration.solution)
    served = listing.served
    _check_protocols(served, host.runtimes, configuration.solution.mesh.runtime)
    graph = DependencyGraph(services_of(host))
    for spec in graph.specs.values():
        for socket in spec.sockets:
            if len(os.fsencode(socket)) > LONGEST_SOCKET_PATH:
                allowed = f"a directory whose sockets have at most {LONGEST_SOCKET_PATH} bytes in their path"
                raise InvalidPlan("solution.mesh.runDir", str(settings.run_dir.path), allowed)
    mesh = configuration.solution.mesh
    return MeshPlan(
        settings,
        services=tuple(graph.specs.values()),
        configuration=given.content,
        keys=digests(whole, served),
        feeds={feed.name: feed.address or "" for feed in served},
        may_deploy=mesh.contracts.deploy,
        templates=len(listing.templates),
        nodes=configuration.solution.total_nodes,
        bootstrap_nodes=configuration.solution.bootstrap_nodes,
        without_effect=dict(set_without_effect(whole.solution, "solution")),
        remarks=tuple(map(str, given.remarks)),
        signature=given.signature,
        group=host.accounts.group,
        masked={} if host.accounts.group is None else _masked(given, whole),
        memory_shortage=shortage(host.memory_bytes, tuple(host.runtimes.values())),
    )


def _check_protocols(
    feeds: Sequence[ServedFeed], runtimes: Mapping[int, NodeRuntime], setting: RuntimeName | Mapping[str, RuntimeName]
) -> None:
    """Raise InvalidPlan for a feed of OCR2 with nodes that run our program because there is none of Chainlink's."""
    # What the file itself says was looked at with the rest of the file.
    chosen = [
        node for node, found in runtimes.items() if found == "embedded" and wanted_runtime(setting, node) == "auto"
    ]
    of_ocr2 = next((feed for feed in feeds if feed.ocr_version == 2), None)
    if of_ocr2 is not None and chosen:
        allowed = (
            f"1, since nodes {', '.join(map(str, chosen))} run our own program, which does not speak OCR2: there is no "
            f"chainlink on the PATH and {PROGRAM_VARIABLE} names none"
        )
        raise InvalidPlan(f"solution.mesh.feedSettings.{of_ocr2.name}.ocrVersion", 2, allowed)


def _masked(given: Checked, configuration: Configuration) -> dict[str, str]:
    return {
        service: json.dumps(masked(given.document, configuration, keys))
        for service, keys in CONFIGURATION_READERS.items()
    }
