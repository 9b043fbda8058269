"""
What existing deployments say beside the file: environment variables, and /etc/process-metrics/config.json.

The file's own value comes first. A variable has its key's name in capitals: `MAX_RESTARTS` stands in for
`solution.maxRestarts`, `METRICS_PUSH_INTERVAL_MS` for `solution.metricsPush.intervalMs`.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel
from pydantic.alias_generators import to_snake

from meshkit.configuration.aggregator import ProcessMetricsPush
from meshkit.configuration.faults.problem import InvalidConfiguration, Place, Problem, Remark
from meshkit.configuration.solution import Solution

PROCESS_METRICS_FILE: Final = Path("/etc/process-metrics/config.json")
_PUSH: Final = "metricsPush"
# Sections have no variable, a signature belongs to a file, and a list of nodes is a text.
_WITHOUT: Final = frozenset({"signature", "mesh", "priceAggregatorConfig"})


def variables() -> dict[str, Place]:
    """Return the names of all variables that are read, each with the key it stands in for."""
    return {to_snake("_".join(map(str, place[1:]))).upper(): place for place in _keys()}


def filled(given: Any, environment: Mapping[str, str], file: Path = PROCESS_METRICS_FILE) -> tuple[Any, list[Remark]]:
    """
    Return the document with what it does not say itself, and a remark for each value that it did not.

    Args:
        given: The file's JSON, which is not changed.
        environment: The variables; an empty one says nothing.
        file: Where the process metrics had their settings: an object of `metricsPush`, or one with that in it.

    Raises:
        InvalidConfiguration: if that file is there, and needed, but is no such object.
    """
    solution = given.get("solution") if isinstance(given, dict) else None
    if not isinstance(solution, dict):
        return given, []
    solution, remarks = dict(solution), []
    pushes = solution.get(_PUSH)
    push: dict[str, Any] = dict(pushes) if isinstance(pushes, dict) else {}
    for name, place in variables().items():
        text, key = environment.get(name, ""), str(place[-1])
        section = push if len(place) > 2 else solution
        if text and key not in section:
            section[key] = text
            remarks.append(Remark(".".join(map(str, place)), f"its value is that of {name} in the environment"))
    if _PUSH not in solution and (found := _process_metrics(file)):
        remarks += [
            Remark(f"solution.{_PUSH}.{key}", f"its value is that of {file}") for key in found if key not in push
        ]
        push = found | push
    if push and (isinstance(pushes, dict) or _PUSH not in solution):
        # Who names a receiver outside the file wants it to be used.
        solution[_PUSH] = push if isinstance(pushes, dict) else {"enabled": "url" in push} | push
    return ({**given, "solution": solution}, remarks) if remarks else (given, [])


def _keys() -> Iterator[Place]:
    for model, above in ((Solution, ("solution",)), (ProcessMetricsPush, ("solution", _PUSH))):
        for field in model.model_fields.values():
            if field.alias in _WITHOUT or field.alias == _PUSH or _has_parts(field.annotation):
                continue
            yield (*above, str(field.alias))


def _has_parts(annotation: Any) -> bool:
    parts = (annotation, *getattr(annotation, "__args__", ()))
    return any(part is dict or getattr(part, "__origin__", None) is dict or _is_section(part) for part in parts)


def _is_section(part: Any) -> bool:
    return isinstance(part, type) and issubclass(part, BaseModel)


def _process_metrics(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no JSON"
        raise InvalidConfiguration(file, [Problem((), f"one that cannot be read: {why}", "a file of JSON")]) from error
    inner = content.get(_PUSH, content) if isinstance(content, dict) else None
    if not isinstance(inner, dict):
        raise InvalidConfiguration(file, [Problem((), "no object", f"the keys of solution.{_PUSH}")])
    return inner
