"""Pipelines that a Chainlink node ran: what it answered to each, task by task."""

import json
from pathlib import Path
from typing import Any

import pytest

from meshkit.clock import SystemClock
from services.oracle.pipeline.errors import TaskError
from services.oracle.pipeline.fetch import Fetcher
from services.oracle.pipeline.graph import Pipeline
from services.oracle.pipeline.last_answers import LastAnswers
from services.oracle.pipeline.run import run
from services.oracle.pipeline.values import Value, dump, output
from tests.oracle.pipeline.adapter import Adapter

VECTORS: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "pipelines.json").read_text(encoding="utf-8")
)
# Where the recorded node's aggregator was; it knew no such paths.
RECORDED_URL = "http://127.0.0.1:3000"


def _output(result: Value | TaskError) -> str | None:
    return None if isinstance(result, TaskError) else output(result)


def _error(result: Value | TaskError, own_url: str) -> str | None:
    return str(result).replace(own_url, RECORDED_URL) if isinstance(result, TaskError) else None


def _task_output(result: Value | TaskError) -> str | None:
    return None if result is None or isinstance(result, TaskError) else dump(result).decode()


@pytest.mark.parametrize("name", VECTORS)
async def test_the_same_as_the_node(adapter: Adapter, fetcher: Fetcher, name: str) -> None:
    """Outputs, errors and the results of single tasks are the node's, to the letter."""
    vector = VECTORS[name]
    adapter.says("/", vector.get("body", ""))
    nowhere = f"{adapter.url}/nowhere"
    adapter.says("/nowhere/nothing", "", 404)
    adapter.says("/nowhere/quote/binance/NOPE/NOPE", "", 404)
    dot = vector["dot"].replace("http://HOST", adapter.url).replace(RECORDED_URL, nowhere)

    pipeline = Pipeline.parse(dot)
    results = (await run(pipeline, fetcher, LastAnswers(SystemClock()), {}, 5.0)).results
    ends = [results[name] for name in pipeline.terminals]
    # A truth is no output that the node can show, and then it shows none at all.
    assert (vector["outputs"] or [None]) == [_output(end) for end in ends]
    assert vector["fatalErrors"] == [_error(end, nowhere) for end in ends]
    tasks = {name: (task["output"], task["error"]) for name, task in vector["tasks"].items()}
    assert tasks == {name: (_task_output(results[name]), _error(results[name], nowhere)) for name in tasks}
