"""Join the aggregator's YAML with the rest of a configuration."""

import json
from pathlib import Path
from typing import Any, Final

import yaml

from cli.errors import CliError
from meshkit import atomic_file
from meshkit.configuration.reading import document

_SECTION: Final = "priceAggregatorConfig"
_MODE: Final = 0o600


def join(base: Path, aggregator: Path, out: Path | None) -> None:
    """
    Write the base file with the YAML as its `solution.priceAggregatorConfig`.

    Keys that both have are the YAML's; the others of the base stay. A signature would no longer hold, so it goes.
    Raises CliError for a file that is not what it should be.
    """
    given = document.read(base).given
    solution = given.get("solution") if isinstance(given, dict) else None
    if not isinstance(solution, dict):
        raise CliError(f"{base}: solution: found no object, allowed: an object")
    section = _yaml(aggregator)
    before = solution.get(_SECTION)
    joined = {name: value for name, value in solution.items() if name != "signature"}
    joined[_SECTION] = merged(before, section) if isinstance(before, dict) else section
    text = json.dumps({**given, "solution": joined}, indent=2, ensure_ascii=False) + "\n"
    if out is None:
        print(text, end="")
        return
    try:
        atomic_file.replace(out, text, _MODE)
    except OSError as error:
        raise CliError(f"{out} cannot be written: {error.strerror}") from error


def merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Return two objects as one: what both have is `above`'s, objects in both are joined in turn."""
    result = dict(below)
    for name, value in above.items():
        old = result.get(name)
        result[name] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


def _yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text())
        # Dates and the like are no JSON.
        json.dumps(content, allow_nan=False)
    except OSError as error:
        raise CliError(f"{path} cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise CliError(f"{path} is no YAML: {' '.join(str(error).split())}") from error
    except (TypeError, ValueError) as error:
        raise CliError(f"{path} has a value that JSON does not have: {error}") from error
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise CliError(f"{path}: found no object, allowed: the keys of solution.{_SECTION}")
    return content
