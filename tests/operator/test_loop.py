import asyncio
import json
from types import MappingProxyType

import pytest
from structlog.testing import capture_logs

from meshkit.clock import ManualClock
from meshkit.errors import MeshError, Unavailable
from services.operator import loop
from services.operator.loop import FAILING_S, STARTING_S, STEADY_S, Journal
from services.operator.reconciler import Outcome


def _outcome(*changes: str, **errors: MeshError) -> Outcome:
    return Outcome(changes, MappingProxyType(errors))


@pytest.mark.parametrize(
    ("errors", "all_running", "was_running", "expected"),
    [
        ({}, True, True, STEADY_S),
        ({}, False, False, STARTING_S),
        ({"chain": Unavailable("gone")}, False, False, STARTING_S),
        ({"chain": Unavailable("gone")}, True, True, FAILING_S),
        ({}, False, True, FAILING_S),
    ],
)
def test_the_pause_fits_the_state(
    errors: dict[str, MeshError], all_running: bool, was_running: bool, expected: float
) -> None:
    """It looks often while the mesh starts, again soon after a failure, and rarely while all is well."""
    assert expected == loop.pause_s(_outcome(**errors), all_running=all_running, was_running=was_running)


def test_an_error_is_logged_once_until_it_changes() -> None:
    """The same error of a part is one line, another text a second, its end a third; changes are always logged."""
    with capture_logs() as events:
        journal = Journal()
        for text in ("not ready", "not ready", "no connection", None, None):
            errors = {} if text is None else {"chainlink-node-2": Unavailable(text)}
            journal.record(_outcome("job created", **errors), all_running=False)

    assert ["not ready", "no connection"] == [event["error"] for event in events if event["event"] == "not_reconciled"]
    assert 1 == len([event for event in events if event["event"] == "reconciled_again"])
    assert 5 == len([event for event in events if event["event"] == "changed"])


class _Scripted:
    """A reconciler that does what a list says, then waits for ever."""

    def __init__(self, steps: list[Outcome | Exception]) -> None:
        self.steps = steps
        self.all_running = True

    async def run(self) -> Outcome:
        if not self.steps:
            await asyncio.Event().wait()
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step


async def test_a_defect_does_not_end_the_loop() -> None:
    """An unexpected exception in one pass is logged with its traceback, and the next pass comes."""
    scripted, clock = _Scripted([ZeroDivisionError("a defect"), _outcome("after"), _outcome("last")]), ManualClock()
    with capture_logs() as events:
        task = asyncio.create_task(loop.run(scripted, clock))  # type: ignore[arg-type]
        for _ in range(20):
            await asyncio.sleep(0)
            clock.advance(STEADY_S)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    assert [] == scripted.steps
    assert "pass_failed" in json.dumps([event["event"] for event in events])
