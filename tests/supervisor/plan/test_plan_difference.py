"""What a new plan changes."""

from dataclasses import replace

from services.supervisor.plan.plan_difference import Change, ChangeKind, difference
from services.supervisor.plan.service_spec import RestartPolicy
from tests.supervisor.fakes import scenario_specs


def test_difference() -> None:
    """Each service is added, removed, restarted for what it runs with, or updated in its rules; or is not named."""
    old = {spec.name: spec for spec in scenario_specs("chain")}
    new = {spec.name: spec for spec in scenario_specs("changed")}

    assert [] == difference(old, old)
    assert [
        Change("third", ChangeKind.RESTARTED, ("needs", "settings")),
        Change("fourth", ChangeKind.ADDED),
        Change("prepare", ChangeKind.REMOVED),
        Change("second", ChangeKind.REMOVED),
    ] == difference(old, new)
    rules = replace(old["first"], policy=RestartPolicy(max_restarts=9))

    assert [Change("first", ChangeKind.UPDATED, ("policy",))] == difference({"first": old["first"]}, {"first": rules})
