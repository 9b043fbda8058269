"""What a new plan changes in a running mesh."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Final

from services.supervisor.plan.mesh_plan import MeshPlan
from services.supervisor.plan.service_spec import ServiceSpec

CONFIGURATION: Final = "configuration"
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
    """
    One service that is not as it was.

    `fields` are the parts of its specification that differ, and `configuration` if it reads something that differs;
    `keys` are what that is.
    """

    name: str
    kind: ChangeKind
    fields: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """What a plan changes: services in the new one's order, removed ones last, and the keys that differ."""

    changes: tuple[Change, ...]
    keys: tuple[str, ...]


def difference(old: MeshPlan, new: MeshPlan) -> Difference:
    """Return what changes from one plan to another."""
    keys = differing_keys(old.keys, new.keys)
    before = {spec.name: spec for spec in old.services}
    changes = [change for spec in new.services if (change := _change(before, spec, keys)) is not None]
    kept = {spec.name for spec in new.services}
    removed = [Change(name, ChangeKind.REMOVED) for name in before if name not in kept]
    return Difference((*changes, *removed), keys)


def differing_keys(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[str, ...]:
    """Return the keys whose values differ; what is there on one side only is named once, by its uppermost key."""
    changed = [key for key in new if key in old and old[key] != new[key]]
    changed += [_uppermost(key, old) for key in new if key not in old]
    changed += [_uppermost(key, new) for key in old if key not in new]
    return tuple(dict.fromkeys(changed))


def _change(before: Mapping[str, ServiceSpec], spec: ServiceSpec, keys: tuple[str, ...]) -> Change | None:
    if spec.name not in before:
        return Change(spec.name, ChangeKind.ADDED)
    old = before[spec.name]
    read = tuple(key for key in keys if old.reads_any_of(key) or spec.reads_any_of(key))
    differing = [each.name for each in fields(ServiceSpec) if getattr(old, each.name) != getattr(spec, each.name)]
    found = (*differing, *([CONFIGURATION] if read else []))
    if not found:
        return None
    return Change(spec.name, ChangeKind.UPDATED if _RULES.issuperset(found) else ChangeKind.RESTARTED, found, read)


def _uppermost(key: str, others: Mapping[str, str]) -> str:
    parts = key.split(".")
    prefixes = (".".join(parts[:length]) for length in range(1, len(parts)))
    return next((prefix for prefix in prefixes if not _has_any_below(others, prefix)), key)


def _has_any_below(keys: Mapping[str, str], above: str) -> bool:
    return any(key.startswith(f"{above}.") for key in keys)
