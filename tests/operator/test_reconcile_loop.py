import asyncio
from pathlib import Path
from types import MappingProxyType

import pytest
from structlog.testing import capture_logs

from meshkit.clock import ManualClock
from meshkit.errors import MeshError, Unavailable
from services.operator import reconcile_loop
from services.operator.errors import ForeignOracles, IdentitiesRefused, TopupRequired
from services.operator.outcome import Outcome
from services.operator.reconcile_loop import FAILING_S, HASTY_PASSES, STARTING_S, STEADY_S, Journal
from services.operator.reconciler import Part


def _outcome(*changes: str, **errors: MeshError) -> Outcome:
    return Outcome(changes, MappingProxyType(errors))


@pytest.mark.parametrize(
    ("errors", "settled", "was_settled", "passes", "expected"),
    [
        ({}, True, True, 1, STEADY_S),
        ({}, False, False, 1, STARTING_S),
        ({"chain": Unavailable("gone")}, False, False, 1, STARTING_S),
        ({"chain": Unavailable("gone")}, False, False, HASTY_PASSES + 1, FAILING_S),
        ({"chain": Unavailable("gone")}, True, True, 5, FAILING_S),
        ({}, False, True, 5, FAILING_S),
    ],
)
def test_the_pause_fits_the_state(
    errors: dict[str, MeshError], settled: bool, was_settled: bool, passes: int, expected: float
) -> None:
    """It looks often while the mesh starts, again soon after a failure, and rarely while all is well."""
    assert expected == reconcile_loop.pause_s(
        _outcome(**errors), settled=settled, was_settled=was_settled, passes=passes
    )


def test_an_error_is_logged_once_until_it_changes() -> None:
    """The same error of a part is one line, another text a second, its end a third; changes are always logged."""
    with capture_logs() as events:
        journal = Journal()
        for text in ("not ready", "not ready", "no connection", None, None):
            errors = {} if text is None else {"chainlink-node-2": Unavailable(text)}
            journal.record(_outcome("job created", **errors))

    assert ["not ready", "no connection"] == [event["error"] for event in events if event["event"] == "not_reconciled"]
    assert 1 == len([event for event in events if event["event"] == "reconciled_again"])
    assert 5 == len([event for event in events if event["event"] == "changed"])


def _scripted(name: str, steps: list[Outcome | Exception]) -> Part:
    """Make a part that does what a list says, then waits for ever."""

    async def run() -> Outcome:
        if not steps:
            await asyncio.Event().wait()
        step = steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    return Part(name, run, lambda: True)


async def test_a_defect_ends_neither_its_part_nor_another() -> None:
    """An unexpected exception in one pass is logged with its traceback, and the next pass comes, as do other parts'."""
    first: list[Outcome | Exception] = [ZeroDivisionError("a defect"), _outcome("after"), _outcome("last")]
    second: list[Outcome | Exception] = [_outcome("one"), ZeroDivisionError("a defect"), _outcome("three")]
    clock, running = ManualClock(), iter([False, True, True, False])
    with capture_logs() as events:
        parts = [_scripted("first", first), _scripted("second", second)]
        task = asyncio.create_task(reconcile_loop.run(parts, lambda: next(running), clock))
        for _ in range(20):
            await asyncio.sleep(0)
            clock.advance(STEADY_S)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    assert ([], []) == (first, second)
    assert ["first", "second"] == [event["part"] for event in events if event["event"] == "pass_failed"]
    milestones = [event["event"] for event in events if event["event"].endswith("running")]
    assert ["all_feeds_running", "feeds_not_all_running"] == milestones


async def test_a_slow_part_holds_up_no_other() -> None:
    """While one part's pass does not end, the others go on."""
    stuck, quick = _scripted("stuck", []), [_outcome("one"), _outcome("two")]
    clock, left = ManualClock(), list[Outcome | Exception](quick)
    task = asyncio.create_task(reconcile_loop.run([stuck, _scripted("quick", left)], lambda: False, clock))
    for _ in range(10):
        await asyncio.sleep(0)
        clock.advance(STEADY_S)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert [] == left


async def test_a_required_topup_ends_the_loop() -> None:
    """A top-up that is required and cannot be paid ends every part with its own error, not in a group."""
    error = TopupRequired("0xF", 1, ("top-up of node-1",))
    with pytest.raises(TopupRequired, match="0xF has 1 wei"):
        await reconcile_loop.run([_scripted("stuck", []), _scripted("chain", [error])], lambda: False, ManualClock())


async def test_other_identities_end_the_loop() -> None:
    """When the contracts list other oracles than these nodes, every part ends with that error."""
    error = IdentitiesRefused(Path("cl-secrets"), 1, ForeignOracles("BTC / USD", "0xC", ("0xA",)))
    with pytest.raises(IdentitiesRefused, match="cl-secrets has not the keys"):
        await reconcile_loop.run([_scripted("stuck", []), _scripted("chain", [error])], lambda: False, ManualClock())


async def test_each_pass_is_told_of() -> None:
    """A pass that ends, well or not, is told with its outcome and its time, one that dies with none."""
    clock, told = ManualClock(), list[tuple[str, Outcome | None, float]]()
    steps: list[Outcome | Exception] = [_outcome("one"), ZeroDivisionError("a defect"), _outcome("three")]

    async def run() -> Outcome:
        clock.advance(2)
        if not steps:
            await asyncio.Event().wait()
        step = steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    part = Part("part", run, lambda: True)
    looping = reconcile_loop.run([part], lambda: False, clock, ended=lambda *each: told.append(each))
    task = asyncio.create_task(looping)
    for _ in range(10):
        await asyncio.sleep(0)
        clock.advance(STEADY_S)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert [("part", _outcome("one"), 2), ("part", None, 2), ("part", _outcome("three"), 2)] == told
