"""
`feedmesh doctor`: the one verdict on the mesh, link by link of a price's way, with the first broken one as the cause.

The verdict is judged by process-metrics and read from its file, as by the container's health check and by `status`.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli import health
from cli.json_output import print_json
from meshkit.paths import RunDir

_MARKS = {"well": "ok", "broken": "BROKEN", "unknown": "unknown"}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Hold the verdict: whether all is well, one line, the links in the order of a price's way, and what is borne."""

    well: bool
    words: str
    links: Sequence[Mapping[str, Any]] = ()
    remarks: Sequence[str] = ()


def diagnose(run_dir: Path, now_ms: int) -> Diagnosis:
    """Return the verdict of a run directory; without one that is fresh nobody judges, which is bad in itself."""
    path = RunDir(run_dir.absolute()).verdict
    found = health.read(path, now_ms)
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return Diagnosis(False, found.words)
    if not isinstance(document, dict) or found.words != str(document.get("words")):
        # It is too old, or damaged: its links say nothing of now.
        return Diagnosis(False, found.words)
    return Diagnosis(found.well, found.words, document.get("links") or (), document.get("remarks") or ())


def doctor(run_dir: Path, as_json: bool) -> int:
    """Print the verdict; return 0 if all is well, else 1."""
    found = diagnose(run_dir, time.time_ns() // 1_000_000)
    if as_json:
        links, remarks = list(found.links), list(found.remarks)
        print_json({"ok": found.well, "words": found.words, "links": links, "remarks": remarks})
    else:
        print("\n".join(lines(found)))
    return 0 if found.well else 1


def lines(found: Diagnosis) -> list[str]:
    """Return what a person reads: each link with what was found, then what is borne, then the verdict."""
    shown = []
    for link in found.links:
        mark = _MARKS.get(str(link.get("state")), str(link.get("state")))
        shown += [f"{link.get('name')!s:<8} {mark:<8} {words}" for words in link.get("words") or ("",)]
    shown += [f"{'':<8} {'borne':<8} {remark}" for remark in found.remarks]
    cause = "" if found.well else "first broken link: "
    return [*shown, *([""] if shown else []), f"{cause}{found.words}"]
