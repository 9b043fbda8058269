"""One run of a pipeline: every task starts as soon as those before it are finished."""

import asyncio
from collections.abc import Mapping
from typing import Any

from services.oracle.pipeline import number
from services.oracle.pipeline.errors import RunError, TaskError
from services.oracle.pipeline.fetch import Fetcher
from services.oracle.pipeline.graph import Pipeline, Step
from services.oracle.pipeline.task import Context, Value

Results = Mapping[str, Value | TaskError]


async def run(
    pipeline: Pipeline,
    fetcher: Fetcher,
    variables: Mapping[str, Any],
    timeout_s: float,
    spans_s: dict[str, tuple[float, float]] | None = None,
) -> Results:
    """
    Run all tasks; return each one's result or error by its id, and begin and end of each in `spans_s`, if it is given.

    `variables` are those that exist before the first task (`jobRun`, `jb`). Tasks that are not finished after
    `timeout_s` seconds are cancelled and end with an error; a task with `failEarly` that fails ends all others.
    """
    results: dict[str, Value | TaskError] = {}
    finished = {step.id: asyncio.Event() for step in pipeline.steps}
    failed_early = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def execute(step: Step) -> None:
        for name in step.needs:
            await finished[name].wait()
        begun_s = loop.time()
        context = Context(
            tuple(results[name] for name in step.inputs),
            {**variables, **results},
            fetcher,
            step.timeout_s is not None,
        )
        try:
            async with asyncio.timeout(step.timeout_s or None):
                results[step.id] = await step.task.run(context)
        except TaskError as error:
            results[step.id] = error
        except TimeoutError:
            results[step.id] = TaskError("task timed out")
        if step.fail_early and isinstance(results[step.id], TaskError):
            failed_early.set()
        if spans_s is not None:
            spans_s[step.id] = (begun_s, loop.time())
        finished[step.id].set()

    tasks = [asyncio.ensure_future(execute(step)) for step in pipeline.steps]
    early = asyncio.ensure_future(failed_early.wait())
    everything: asyncio.Future[list[None]] = asyncio.gather(*tasks)
    watched: set[asyncio.Future[Any]] = {everything, early}
    try:
        await asyncio.wait(watched, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        reason = "task was cancelled: another one failed early" if failed_early.is_set() else "task timed out"
        if everything.done():
            # Anything but a TaskError is a defect and must be seen.
            everything.result()
    finally:
        for task in (*tasks, early):
            task.cancel()
        await asyncio.gather(*tasks, early, everything, return_exceptions=True)
    return {step.id: results.get(step.id, TaskError(reason)) for step in pipeline.steps}


def observation(pipeline: Pipeline, results: Results) -> int:
    """Return the terminal task's result, truncated towards zero; RunError if there is none."""
    result = results[pipeline.terminal]
    if isinstance(result, TaskError):
        causes = [f"{name}: {error}" for name, error in results.items() if isinstance(error, TaskError)]
        raise RunError("; ".join(causes))
    try:
        return number.truncate(number.to_decimal(result))
    except TaskError as error:
        raise RunError(f"{pipeline.terminal}: {error}") from error
