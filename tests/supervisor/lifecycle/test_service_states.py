"""The numbers of the enumerations."""

from enum import IntEnum

import pytest

from feedmesh.supervisor.v1 import supervisor_service_pb2 as pb
from services.supervisor.lifecycle.service_states import State
from services.supervisor.plan.service_spec import Condition, Kind


@pytest.mark.parametrize(
    ("ours", "proto", "prefix"),
    [
        (State, pb.ServiceState, "SERVICE_STATE_"),
        (Kind, pb.ServiceKind, "SERVICE_KIND_"),
        (Condition, pb.Condition, "CONDITION_"),
    ],
)
def test_same_numbers_as_the_proto(ours: type[IntEnum], proto: object, prefix: str) -> None:
    """Every name has the proto's number, and none is missing."""
    numbers = {prefix + member.name: member.value for member in ours}

    assert {**dict(proto.items())} == {prefix + "UNSPECIFIED": 0, **numbers}  # type: ignore[attr-defined]
