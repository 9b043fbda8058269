"""What a configuration file would run, without running it: `python -m services.supervisor --config FILE --check`."""

import sys
from pathlib import Path
from typing import Any

import orjson

from meshkit.configuration.faults.problem import InvalidConfiguration
from meshkit.configuration.start_check import Checked
from meshkit.errors import MeshError
from services.supervisor.plan import plan_json
from services.supervisor.plan.dependency_graph import DependencyGraph
from services.supervisor.plan.make_plan import make_plan, try_plan
from services.supervisor.plan.mesh_plan import MeshPlan
from services.supervisor.plan.probe_spec import in_words
from services.supervisor.plan.service_spec import ServiceSpec


def write_plan(path: Path, environment: dict[str, str]) -> int:
    """Write the whole plan for a supervisor that wants to run it, or the reason why there is none."""
    try:
        plan = make_plan(path, environment)
    except MeshError as error:
        _write(orjson.dumps(_refusal(error)))
        return 1
    _write(plan_json.write(plan))
    return 0


def check(path: Path, environment: dict[str, str], *, as_json: bool) -> int:
    """
    Write the plan for people or, without environments, for programs; return the exit code.

    Of a file with faults, these are written to standard error, and what can be said of the rest all the same.
    """
    try:
        plan, given = try_plan(path, environment)
    except MeshError as error:
        if as_json:
            _write(orjson.dumps(_refusal(error)))
        else:
            sys.stderr.write(f"error: {error}\n")
        return 1
    refusal = InvalidConfiguration(path, given.problems) if given.problems else None
    if as_json:
        shown = _known(plan, given) if plan is not None else {}
        _write(orjson.dumps(shown | ({"ok": True} if refusal is None else _refusal(refusal))))
    else:
        sys.stdout.write("\n".join([*_head(path, plan, given), *(_lines(plan) if plan is not None else [])]) + "\n")
        if refusal is not None:
            sys.stdout.flush()
            sys.stderr.write(f"error: {refusal}\n")
    return int(refusal is not None)


def _refusal(error: MeshError) -> dict[str, object]:
    problems = error.problems if isinstance(error, InvalidConfiguration) else ()
    told = [{"path": each.path, "line": each.line, "found": each.found, "allowed": each.allowed} for each in problems]
    return {"ok": False, "reason": error.reason, "error": str(error), "problems": told}


def _known(plan: MeshPlan, given: Checked) -> dict[str, object]:
    counts = {"nodes": plan.nodes, "oracles": plan.nodes - plan.bootstrap_nodes, "feeds": list(plan.feeds)}
    told = {"without_effect": dict(plan.without_effect), "remarks": list(plan.remarks), "signature": given.signature}
    return _shown(plan) | counts | told


def _head(path: Path, plan: MeshPlan | None, given: Checked) -> list[str]:
    faults = len(given.problems)
    verdict = f"has {faults} {'fault' if faults == 1 else 'faults'}" if faults else "is valid"
    if plan is None:
        return [f"{path} {verdict}", f"signature: {given.signature}"]
    oracles = plan.nodes - plan.bootstrap_nodes
    return [
        f"{path} {verdict}: {plan.nodes} nodes ({oracles} oracles), {len(plan.feeds)} feeds",
        f"signature: {given.signature}",
        *(f"without effect: {place}: {reason}" for place, reason in plan.without_effect.items()),
        *(f"note: {remark}" for remark in plan.remarks),
        *(f"feed: {name}, {_contract(address, plan)}" for name, address in plan.feeds.items()),
    ]


def _contract(address: str, plan: MeshPlan) -> str:
    if address:
        return f"contract {address}"
    return "a contract is deployed unless one was before" if plan.may_deploy else "with the contract of an earlier run"


def _shown(plan: MeshPlan) -> dict[str, object]:
    graph = DependencyGraph(plan.services)
    waves = [[_service(graph.specs[name]) for name in wave] for wave in graph.waves]
    run_dir, logs = plan.settings.run_dir.path, plan.settings.logs.directory
    return {"run_dir": str(run_dir), "logs": str(logs), "waves": waves}


def _service(spec: ServiceSpec) -> dict[str, Any]:
    return {
        "name": spec.name,
        "kind": spec.kind.name.lower(),
        **({"runtime": spec.runtime} if spec.runtime else {}),
        "needs": {edge.name: edge.condition.name.lower() for edge in spec.needs},
        "command": spec.command,
        "user": user(spec),
        "ports": spec.ports,
        "readiness": "" if spec.probe is None else in_words(spec.probe),
        "liveness": "" if spec.liveness is None else in_words(spec.liveness),
        "max_restarts": spec.policy.max_restarts,
    }


def user(spec: ServiceSpec) -> str:
    """Return the account a service runs under, empty for the supervisor's own."""
    return "" if spec.identity is None else f"{spec.identity.uid}:{spec.identity.gid}"


def _lines(plan: MeshPlan) -> list[str]:
    graph = DependencyGraph(plan.services)
    lines = [f"sockets in {plan.settings.run_dir.path}, logs in {plan.settings.logs.directory}"]
    for number, wave in enumerate(graph.waves, 1):
        lines.append(f"wave {number}")
        for name in wave:
            spec = graph.specs[name]
            shown = _service(spec)
            lines.append(f"  {name} ({shown['kind']})")
            if spec.runtime:
                lines.append(f"    runtime  {spec.runtime}")
            lines.append(f"    command  {' '.join(spec.command)}")
            if spec.needs:
                lines.append(f"    needs    {', '.join(f'{other} {end}' for other, end in shown['needs'].items())}")
            if spec.identity is not None:
                lines.append(f"    user     {shown['user']}")
            if spec.ports:
                lines.append(f"    ports    {', '.join(map(str, spec.ports))}")
            if spec.probe is not None:
                lines.append(f"    ready    {shown['readiness']}")
    return lines


def _write(text: bytes) -> None:
    sys.stdout.buffer.write(text + b"\n")
