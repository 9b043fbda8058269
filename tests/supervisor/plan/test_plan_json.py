"""A plan as JSON."""

from dataclasses import replace

from services.supervisor.config import settings
from services.supervisor.plan import plan_json
from services.supervisor.plan.mesh_plan import MeshPlan
from services.supervisor.plan.plan_input import PlanInput
from services.supervisor.plan.service_definitions import services_of
from services.supervisor.plan.service_users import Accounts, account_names
from tests.supervisor.plan.plans import RUNTIMES, all_run


def test_a_plan_survives_its_way_through_a_pipe(given: PlanInput) -> None:
    """What the planning process writes is what the supervisor reads, for both runtimes and with users."""
    accounts = Accounts(dict.fromkeys((*account_names(5), "market", "devchain"), (7000, 8000)), 9000)
    for runtime in RUNTIMES:
        services = services_of(replace(given, runtimes=all_run(runtime), is_root=True, accounts=accounts))
        plan = MeshPlan(
            settings(given.configuration, {}), tuple(services), '{"a": "b"}', group=9000, masked={"operator": "{}"}
        )

        assert plan == plan_json.read(plan_json.write(plan))
        assert plan.has_users
