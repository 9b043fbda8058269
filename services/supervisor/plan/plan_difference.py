"""What a new plan changes in a running mesh."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Final

from services.supervisor.plan.service_spec import ServiceSpec

# What can be changed while the process lives; every other field is something that it was started with.
_RULES: Final = frozenset(
    {"needs", "probe", "schedule", "liveness", "liveness_schedule", "policy", "stop", "leftovers"}
)


class ChangeKind(IntEnum):
    """What happens to a service; see `ChangeKind` in the proto."""

    ADDED = 1
    REMOVED = 2
    RESTARTED = 3
    UPDATED = 4


@dataclass(frozen=True, slots=True)
class Change:
    """One service that is not as it was, and the names of what differs."""

    name: str
    kind: ChangeKind
    fields: tuple[str, ...] = ()


def difference(old: Mapping[str, ServiceSpec], new: Mapping[str, ServiceSpec]) -> list[Change]:
    """Return the changes from one plan to another, in the new one's order, removed services last."""
    changes = []
    for name, spec in new.items():
        if name not in old:
            changes.append(Change(name, ChangeKind.ADDED))
        elif found := _differing(old[name], spec):
            kind = ChangeKind.UPDATED if _RULES.issuperset(found) else ChangeKind.RESTARTED
            changes.append(Change(name, kind, found))
    return changes + [Change(name, ChangeKind.REMOVED) for name in old if name not in new]


def _differing(old: ServiceSpec, new: ServiceSpec) -> tuple[str, ...]:
    return tuple(each.name for each in fields(ServiceSpec) if getattr(old, each.name) != getattr(new, each.name))
