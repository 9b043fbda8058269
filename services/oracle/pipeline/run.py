"""One run of a pipeline: every task starts as soon as those before it are finished."""

import asyncio
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.oracle.pipeline import number
from services.oracle.pipeline.errors import RunError, TaskError
from services.oracle.pipeline.fetch import Fetcher
from services.oracle.pipeline.graph import Pipeline, Step
from services.oracle.pipeline.last_answers import LastAnswers
from services.oracle.pipeline.task import Context
from services.oracle.pipeline.values import Value

Results = Mapping[str, Value | TaskError]
_CANCELLED = "task run cancelled (fail early)"


@dataclass(frozen=True, slots=True)
class Finished:
    """Hold a run's results or errors by task, and when each task began and ended by the event loop's clock."""

    results: Results
    spans_s: Mapping[str, tuple[float, float]]


async def run(
    pipeline: Pipeline, fetcher: Fetcher, last_answers: LastAnswers, variables: Mapping[str, Value], timeout_s: float
) -> Finished:
    """
    Run all tasks.

    `variables` are those that exist before the first task (`jobRun`, `jb`). Requests that are not answered after
    `timeout_s` seconds fail, and the tasks behind them go on with that; a task with `failEarly` that fails ends all
    others.
    """
    return await _Run(pipeline, fetcher, last_answers, variables, timeout_s).run()


class _Run:
    """Keep what has come of a run so far."""

    def __init__(
        self,
        pipeline: Pipeline,
        fetcher: Fetcher,
        last_answers: LastAnswers,
        variables: Mapping[str, Value],
        timeout_s: float,
    ) -> None:
        self._steps = pipeline.steps
        self._is_chain = pipeline.is_chain
        self._fetcher = fetcher
        self._last_answers = last_answers
        self._until_s = asyncio.get_running_loop().time() + timeout_s
        self._results: dict[str, Value | TaskError] = {}
        # What is not finished is not in it yet, and no task looks for what it does not need.
        self._known: Mapping[str, Value] = ChainMap(self._results, dict(variables))
        self._spans_s: dict[str, tuple[float, float]] = {}
        self._finished = {step.id: asyncio.Event() for step in pipeline.steps}
        self._failed_early = asyncio.Event()

    async def run(self) -> Finished:
        if self._is_chain:
            await self._one_after_the_other()
        else:
            await self._all_at_once()
        results = {step.id: self._results.get(step.id, TaskError(_CANCELLED)) for step in self._steps}
        return Finished(results, self._spans_s)

    async def _one_after_the_other(self) -> None:
        for step in self._steps:
            await self._execute(step)
            if self._failed_early.is_set():
                return

    async def _all_at_once(self) -> None:
        tasks = [asyncio.ensure_future(self._execute(step)) for step in self._steps]
        early = asyncio.ensure_future(self._failed_early.wait())
        everything: asyncio.Future[list[None]] = asyncio.gather(*tasks)
        watched: set[asyncio.Future[Any]] = {everything, early}
        try:
            await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
            if everything.done():
                # Anything but a TaskError is a defect and must be seen.
                everything.result()
        finally:
            for task in (*tasks, early):
                task.cancel()
            await asyncio.gather(*tasks, early, everything, return_exceptions=True)

    async def _execute(self, step: Step) -> None:
        for name in step.needs:
            await self._finished[name].wait()
        begun_s = asyncio.get_running_loop().time()
        result = await self._attempts(step)
        self._results[step.id] = result
        self._spans_s[step.id] = (begun_s, asyncio.get_running_loop().time())
        if step.common.fail_early and isinstance(result, TaskError):
            self._failed_early.set()
        self._finished[step.id].set()

    async def _attempts(self, step: Step) -> Value | TaskError:
        loop, backoff_s = asyncio.get_running_loop(), step.common.min_backoff_s
        for attempt in range(step.common.retries + 1):
            try:
                return await step.task.run(self._context(step))
            except TaskError as error:
                wait_s = min(backoff_s, step.common.max_backoff_s)
                if not error.retryable or attempt == step.common.retries or loop.time() + wait_s >= self._until_s:
                    return error
            await asyncio.sleep(wait_s)
            backoff_s *= 2
        raise AssertionError("the last attempt returns")

    def _context(self, step: Step) -> Context:
        limit_s = self._fetcher.default_timeout_s if step.timeout_s is None else step.timeout_s
        until_s = min(self._until_s, asyncio.get_running_loop().time() + limit_s) if limit_s > 0 else self._until_s
        return Context(
            tuple(self._results[name] for name in step.inputs),
            self._known,
            self._fetcher,
            self._last_answers,
            until_s,
        )


def observation(pipeline: Pipeline, results: Results) -> int:
    """Return the terminal task's result, truncated towards zero; RunError if there is none."""
    if len(pipeline.terminals) != 1:
        found = ", ".join(pipeline.terminals)
        raise RunError(f"found {len(pipeline.terminals)} last tasks, {found}: an observation is the result of one")
    result = results[pipeline.terminals[0]]
    if isinstance(result, TaskError):
        causes = [f"{name}: {error}" for name, error in results.items() if isinstance(error, TaskError)]
        raise RunError("; ".join(causes))
    try:
        return number.truncate(number.to_decimal(result))
    except TaskError as error:
        raise RunError(f"{pipeline.terminals[0]}: {error}") from error
