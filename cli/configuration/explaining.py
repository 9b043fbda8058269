"""What keys mean, and what a file amounts to."""

import json
import os
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from cli.errors import UsageError
from cli.json_output import print_json
from meshkit.configuration import start_check
from meshkit.configuration.key_descriptions import KeyDescription, keys
from meshkit.configuration.solution import Configuration


def show(path: Path, only_given: bool) -> None:
    """Write the effective configuration; raise InvalidConfiguration for one with faults in its values."""
    configuration = start_check.readable(path, os.environ)
    shown = json.loads(configuration.model_dump_json(by_alias=True, exclude_unset=only_given, warnings=False))
    _hide(configuration, shown)
    print(json.dumps(shown, indent=2, ensure_ascii=False))


def _hide(value: Any, shown: Any) -> None:
    """Put `***` in the place of every secret, also of those in dictionaries."""
    fields = value.items() if isinstance(value, dict) else [(f.alias, value.__dict__[n]) for n, f in _fields(value)]
    for name, below in fields:
        if name not in shown:
            continue
        if isinstance(below, SecretStr):
            shown[name] = "***"
        elif isinstance(below, BaseModel | dict):
            _hide(below, shown[name])


def _fields(section: BaseModel) -> Any:
    return type(section).model_fields.items()


def schema() -> None:
    """Write the JSON schema."""
    print(json.dumps(Configuration.model_json_schema(by_alias=True), indent=1, ensure_ascii=False))


def explain(key: str, as_json: bool) -> None:
    """Write what a key means; raise UsageError, with the nearest names, for one that there is not."""
    found = _named(key)
    if as_json:
        print_json({"ok": True, "keys": [each.as_json() for each in found]})
        return
    for each in found:
        print("\n".join([each.path, *(f"  {name:<9} {text}" for name, text in each.rows() if text)]))


def _named(key: str) -> list[KeyDescription]:
    import difflib

    known = {each.path: each for each in keys()}
    wanted = key if key.startswith("solution") else f"solution.{key}"
    if wanted in known:
        return [known[wanted]]
    if below := [each for path, each in known.items() if path.endswith(f".{key}")]:
        return below
    # `sources.binance.ttl` is `sources.*.ttl` for all of them.
    if likely := [each for each in known.values() if each.is_for(wanted)]:
        return likely
    near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.5)
    raise UsageError(f"KEY: found {key!r}, allowed: a key of docs/settings.md; nearest: {', '.join(near) or 'none'}")
