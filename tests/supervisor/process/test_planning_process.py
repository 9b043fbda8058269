"""A program run to its end, and the plan that one makes."""

import asyncio
import os
from pathlib import Path

import psutil
import pytest

from services.supervisor.errors import PlanRefused
from services.supervisor.process.begun_program import BegunProgram
from services.supervisor.process.planning_process import make_plan, making, run
from tests.supervisor.fakes import ENVIRONMENT
from tests.waiting import until


async def test_output_errors_and_code() -> None:
    """Both streams are read apart, also more than a pipe holds, and the pid is owned only while it runs."""
    owned: set[int] = set()
    outcome = await run(("sh", "-c", "seq 100000; echo no >&2; exit 3"), ENVIRONMENT, owned)

    assert (3, b"no\n") == (outcome.code, outcome.errors)
    assert outcome.output.endswith(b"\n100000\n")
    assert set() == owned


async def test_a_cancelled_one_is_killed_with_its_group(run_dir: Path) -> None:
    """Nothing of it is left."""
    owned: set[int] = set()
    script = f"sleep 1000 & echo $! > {run_dir}/new; mv {run_dir}/new {run_dir}/pid; wait"
    running = asyncio.create_task(run(("sh", "-c", script), ENVIRONMENT, owned))
    await until(lambda: (run_dir / "pid").exists(), "its child runs")
    (parent,) = owned
    child = int((run_dir / "pid").read_text())
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await until(lambda: not psutil.pid_exists(child), "the child is gone")

    assert not psutil.pid_exists(parent)
    assert set() == owned


async def test_a_refused_plan_says_why(tmp_path: Path) -> None:
    """Every problem of the file is in the error."""
    path = tmp_path / "configuration.json"
    path.write_text('{"solution": {"pgPort": 0}}')
    with pytest.raises(PlanRefused, match=r"(?s)solution\.pgPassword.*solution\.pgPort"):
        await make_plan(path, set())


async def test_a_planning_process_that_breaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it wrote last is in the error, not an error about that."""
    monkeypatch.setenv("PYTHONPATH", os.fspath(tmp_path))
    (tmp_path / "orjson.py").write_text("raise ImportError('broken on purpose')")
    with pytest.raises(PlanRefused, match="broken on purpose"):
        await make_plan(tmp_path / "configuration.json", set())


async def test_a_plan_that_was_begun_is_the_first(tmp_path: Path) -> None:
    """Its words are those of the program that was begun; the next plan is one of its own."""
    begun = BegunProgram(("sh", "-c", """echo '{"error": "begun before"}'; exit 1"""), ENVIRONMENT)
    make = making(begun)
    with pytest.raises(PlanRefused, match="begun before"):
        await make(tmp_path / "there is none", set())
    with pytest.raises(PlanRefused, match="cannot be read"):
        await make(tmp_path / "there is none", set())
