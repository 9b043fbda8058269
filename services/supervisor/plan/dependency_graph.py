"""The order of the services: who waits for whom, and what is refused."""

import difflib
import graphlib
import re
from collections.abc import Iterable, Mapping
from typing import Final

from services.supervisor.errors import InvalidPlan
from services.supervisor.plan.service_spec import Condition, Kind, ServiceSpec

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class DependencyGraph:
    """
    The services and their edges, checked.

    Raises InvalidPlan for a bad or repeated name, an unknown dependency, a condition its target can never meet, a
    cycle, and a port or socket that two services want.
    """

    def __init__(self, specs: Iterable[ServiceSpec]) -> None:
        listed = tuple(specs)
        _check_names(listed)
        by_name = {spec.name: spec for spec in listed}
        _check_edges(by_name)
        _check_claims(listed)
        self.waves: Final = _waves(by_name)
        self.order: Final = tuple(name for wave in self.waves for name in wave)
        self.specs: Final = {name: by_name[name] for name in self.order}
        self._descendants = self._all_dependents()

    def dependents(self, name: str) -> frozenset[str]:
        """Return every service that depends on this one, directly or through others."""
        return self._descendants[name]

    def _all_dependents(self) -> dict[str, frozenset[str]]:
        found: dict[str, set[str]] = {name: set() for name in self.order}
        for name in reversed(self.order):
            for edge in self.specs[name].needs:
                found[edge.name] |= {name} | found[name]
        return {name: frozenset(dependents) for name, dependents in found.items()}


def _check_names(specs: tuple[ServiceSpec, ...]) -> None:
    seen: set[str] = set()
    for spec in specs:
        if not _NAME.fullmatch(spec.name):
            raise InvalidPlan("services.name", spec.name, "lower-case letters, digits and dashes, at most 63")
        if spec.name in seen:
            raise InvalidPlan("services.name", spec.name, "a name that no other service has")
        if not spec.command:
            raise InvalidPlan(f"services.{spec.name}.command", (), "a program and its arguments")
        seen.add(spec.name)


def _check_edges(specs: Mapping[str, ServiceSpec]) -> None:
    for spec in specs.values():
        field = f"services.{spec.name}.needs"
        for edge in spec.needs:
            target = specs.get(edge.name)
            if target is None:
                near = difflib.get_close_matches(edge.name, specs, n=1)
                raise InvalidPlan(field, edge.name, f"a service of the plan{f', nearest {near[0]!r}' if near else ''}")
            if edge.condition is Condition.HEALTHY and target.kind is Kind.ONESHOT:
                raise InvalidPlan(field, f"{edge.name} healthy", "started or completed, because it is a oneshot")
            if edge.condition is Condition.COMPLETED and target.kind is Kind.LONGRUN:
                raise InvalidPlan(field, f"{edge.name} completed", "started or healthy, because it is a longrun")


def _check_claims(specs: tuple[ServiceSpec, ...]) -> None:
    owners: dict[object, str] = {}
    for spec in specs:
        for claim in (*spec.ports, *spec.sockets):
            other = owners.setdefault(claim, spec.name)
            if other != spec.name:
                field = "ports" if isinstance(claim, int) else "sockets"
                raise InvalidPlan(f"services.{spec.name}.{field}", str(claim), f"one that {other} does not use")


def _waves(specs: Mapping[str, ServiceSpec]) -> tuple[tuple[str, ...], ...]:
    sorter = graphlib.TopologicalSorter({name: [edge.name for edge in spec.needs] for name, spec in specs.items()})
    try:
        sorter.prepare()
    except graphlib.CycleError as error:
        # The sorter lists the cycle from each service to the one that waits for it.
        cycle = [str(name) for name in reversed(error.args[1])]
        raise InvalidPlan(f"services.{cycle[0]}.needs", " → ".join(cycle), "no cycle") from error
    waves: list[tuple[str, ...]] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=_natural)
        waves.append(tuple(ready))
        sorter.done(*ready)
    return tuple(waves)


def _natural(name: str) -> tuple[str | int, ...]:
    """Sort `chainlink-node-10` after `chainlink-node-9`."""
    return tuple(int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name))
