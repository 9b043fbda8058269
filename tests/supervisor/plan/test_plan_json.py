"""A plan as JSON."""

from dataclasses import replace

from services.supervisor.config import settings
from services.supervisor.plan import plan_json
from services.supervisor.plan.mesh_plan import MeshPlan
from services.supervisor.plan.plan_input import PlanInput
from services.supervisor.plan.service_definitions import services_of
from services.supervisor.plan.service_spec import Identity


def test_a_plan_survives_its_way_through_a_pipe(given: PlanInput) -> None:
    """What the planning process writes is what the supervisor reads, for both runtimes and with users."""
    mesh = given.configuration.solution.mesh
    users = mesh.model_copy(update={"supervisor": mesh.supervisor.model_copy(update={"node_uid_base": 70_000})})
    solution = given.configuration.solution.model_copy(update={"mesh": users})
    configuration = given.configuration.model_copy(update={"solution": solution})
    chainlink = replace(given, configuration=configuration, runtime="chainlink", is_root=True)
    for services in (services_of(given), services_of(chainlink)):
        plan = MeshPlan(settings(given.configuration), tuple(services), '{"a": "b"}')

        assert plan == plan_json.read(plan_json.write(plan))
    assert Identity(70_002, 70_002, owned=(given.data_dir.node(2),)) == next(
        spec.identity for spec in services if spec.name == "chainlink-node-2"
    )
