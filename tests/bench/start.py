"""
What a stranger waits for: the set-up of a fresh clone, the command before it does anything, and a whole mesh.

The set-up is done in clones of the last commit, which are removed afterwards. The first has empty caches and downloads
everything; the second finds them filled; then nothing is left to do.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench import processor_reference
from tests.bench.report import Report, Row
from tests.deployment import deployment, written
from tests.mesh.running import Mesh, free_port_offset, own_directory, stopping

_TREE = Path(__file__).parents[2]
# Of so many runs the least counts: all else on the machine only adds.
_RUNS = 5
# A third of what pip took.
_SETUP_S = 23.0
_COMMAND_S = 0.35
_FROM_NOTHING_S, _AGAIN_S = 8.0, 6.0
_STARTS_AGAIN = 3
_MESH_S = 300.0
_COMMANDS = (
    ("--help",),
    ("run", "--help"),
    ("feeds", "--known"),
    ("feeds", "lint", "--offline"),
)


def run() -> Report:
    """Measure all three."""
    from_nothing_s, mesh_again_s = _mesh_s()
    reference_s = processor_reference.measure_ms() / 1000
    with tempfile.TemporaryDirectory(prefix="feedmesh-start-") as place:
        caches = Path(place) / "caches"
        first_s, again_s = _setup_s(Path(place) / "first", caches)
        second_s, _ = _setup_s(Path(place) / "second", caches)
        checked = ("check", "--config", str(written(Path(place), deployment())))
        commands = [
            (f"feedmesh {' '.join(map(_short, command))}", _processor_s(command)) for command in (*_COMMANDS, checked)
        ]
    rows = (
        Row("mesh of five nodes, from nothing until all is healthy", from_nothing_s, "s", at_most=_FROM_NOTHING_S),
        Row("  of the reference work", from_nothing_s / reference_s, "ratio", more_is_better=False),
        Row("the same with its databases there", mesh_again_s, "s", at_most=_AGAIN_S),
        Row("  of the reference work", mesh_again_s / reference_s, "ratio", more_is_better=False),
        Row("set-up of a fresh clone, empty caches", first_s, "s", at_most=_SETUP_S),
        Row("set-up of a fresh clone, filled caches", second_s, "s", at_most=_SETUP_S),
        Row("set-up where nothing is to do", again_s, "s"),
        *(Row(name, seconds, "s of processor time", at_most=_COMMAND_S) for name, seconds in commands),
    )
    notes = (
        "the set-up with empty caches downloads everything, so its time is also the network's",
        f"processor time is the least of {_RUNS} runs, with what the command itself starts",
        f"the mesh's start is what it says of itself, with its databases the median of {_STARTS_AGAIN}",
    )
    return Report("set-up and start", rows, notes)


def _mesh_s() -> tuple[float, float]:
    """Return the seconds of a mesh's first start and of its later ones."""
    with own_directory() as directory:
        offset = free_port_offset()
        first_s, *later_s = (_start_s(directory, offset) for _ in range(1 + _STARTS_AGAIN))
    return first_s, statistics.median(later_s)


def _start_s(directory: Path, offset: int) -> float:
    """Run a mesh until its first rounds and return its start, in seconds."""
    with stopping(Mesh(directory, offset, "--rounds", "1", "--json")) as mesh:
        code = mesh.process.wait(_MESH_S)
    if code != 0:
        raise RuntimeError(f"the mesh ended with {code}: {mesh.text()[-2000:]}")
    return float(json.loads(mesh.text().splitlines()[-1])["startup_seconds"])


def _setup_s(clone: Path, caches: Path) -> tuple[float, float]:
    """Return the seconds of two set-ups in a new clone, one after the other."""
    subprocess.run(["git", "clone", "--quiet", os.fspath(_TREE), os.fspath(clone)], check=True)
    environment = {
        **_environment(),
        "PIP_CACHE_DIR": str(caches / "pip"),
        "UV_CACHE_DIR": str(caches / "uv"),
        "npm_config_cache": str(caches / "npm"),
    }
    seconds = []
    for _ in range(2):
        started_s = time.monotonic()
        done = subprocess.run(
            ["scripts/setup"], cwd=clone, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"scripts/setup ended with {done.returncode}: {done.stderr[-2000:]}")
        seconds.append(time.monotonic() - started_s)
    return seconds[0], seconds[1]


def _processor_s(command: tuple[str, ...]) -> float:
    """Return the least processor time of a command and its children, in seconds."""
    measured = []
    for _ in range(_RUNS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-m", "cli", *command], env=_environment(), stdout=subprocess.DEVNULL, check=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        measured.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(measured)


def _environment() -> dict[str, str]:
    """Return ours, but let Python keep what it compiled."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _short(argument: str) -> str:
    return Path(argument).name if argument.startswith("/") else argument
