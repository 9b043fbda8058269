"""How the tasks of a run go together."""

import asyncio

import pytest

from meshkit.clock import SystemClock
from services.oracle.pipeline.errors import RunError, TaskError
from services.oracle.pipeline.fetch import Fetcher
from services.oracle.pipeline.graph import Pipeline
from services.oracle.pipeline.last_answers import LastAnswers
from services.oracle.pipeline.run import observation, run
from tests.oracle.pipeline.adapter import Adapter, result_of, results_of

SOURCES = """
    a [type=bridge name=a] b [type=bridge name=b timeout="100ms"] c [type=bridge name=c]
    pa [type=jsonparse] pb [type=jsonparse] pc [type=jsonparse]
    a -> pa -> m; b -> pb -> m; c -> pc -> m;
"""


async def test_a_slow_source_is_a_fault(adapter: Adapter, fetcher: Fetcher) -> None:
    """One good source is enough by default, with allowedFaults=0 none may fail; a slow one fails at its limit."""
    adapter.says("/a", "10")
    adapter.says("/b", "20", hangs=True)

    assert 10 == await result_of(SOURCES + "m [type=median]", fetcher)
    with pytest.raises(TaskError, match="Number of faulty inputs 2 to median task > number allowed faults 0"):
        await result_of(SOURCES + "m [type=median allowedFaults=0]", fetcher)


async def test_the_end_of_the_time_is_not_the_end_of_the_run(adapter: Adapter, fetcher: Fetcher) -> None:
    """Sources that do not answer within the run's time fail, and what the others said is still reported."""
    adapter.says("/a", "10")
    adapter.says("/c", "30", hangs=True)

    assert 10 == await result_of(SOURCES + "m [type=median]", fetcher, timeout_s=0.3)


async def test_fail_early(adapter: Adapter, fetcher: Fetcher) -> None:
    """A failing task with failEarly ends the run at once, whatever still waits."""
    adapter.says("/a", "1", hangs=True)
    source = "a [type=bridge name=a] b [type=bridge name=c failEarly=true] m [type=sum allowedFaults=1] a -> m b -> m"

    results = await results_of(source, fetcher, timeout_s=1000)
    assert "task run cancelled (fail early)" == str(results["a"]) == str(results["m"])
    assert "status code 404" in str(results["b"])


async def test_a_cancelled_run_leaves_nothing(adapter: Adapter, fetcher: Fetcher) -> None:
    """Whoever cancels a run has all its tasks ended when that returns."""
    adapter.says("/a", "1", hangs=True)
    before = asyncio.all_tasks()
    running = asyncio.ensure_future(results_of("a [type=bridge name=a] m [type=sum] a -> m", fetcher))
    while not adapter.received:
        await asyncio.sleep(0)
        await asyncio.sleep(0.001)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert before == asyncio.all_tasks() & before
    assert not [task for task in asyncio.all_tasks() - before if "_execute" in repr(task)]


async def test_spans(adapter: Adapter, fetcher: Fetcher) -> None:
    """Each task's begin and end are known; none begins before what it needs has ended."""
    adapter.says("/a", "1")
    pipeline = Pipeline.parse("a [type=bridge name=a] m [type=sum] a -> m")
    spans_s = (await run(pipeline, fetcher, LastAnswers(SystemClock()), {}, 5)).spans_s

    assert {"a", "m"} == set(spans_s)
    assert spans_s["a"][0] <= spans_s["a"][1] <= spans_s["m"][0] <= spans_s["m"][1]


def test_observations() -> None:
    """An observation is the one last task's number, truncated; all that went wrong is told otherwise."""
    one = Pipeline.parse("a [type=memo value=1] m [type=sum] a -> m")
    two = Pipeline.parse("a [type=memo value=1] b [type=memo value=2]")

    assert 65 == observation(one, {"a": 1, "m": "65.9"})
    with pytest.raises(RunError, match=r"a: no answer; m: too many"):
        observation(one, {"a": TaskError("no answer"), "m": TaskError("too many")})
    with pytest.raises(RunError, match="m: type <nil> cannot be converted"):
        observation(one, {"a": 1, "m": None})
    with pytest.raises(RunError, match="found 2 last tasks, a, b"):
        observation(two, {"a": 1, "b": 2})
