"""Keep reconciling for ever, each part at its own pace: quickly while something is missing, slowly otherwise."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

import structlog

from meshkit import log
from meshkit.clock import Clock
from meshkit.errors import MeshError
from services.operator.errors import ENDING
from services.operator.outcome import Outcome
from services.operator.pass_watch import PassWatch
from services.operator.reconciler import Part

STARTING_S = 0.5
# A start that takes longer than this many passes waits for something that haste does not bring.
HASTY_PASSES = 120
FAILING_S = 3.0
STEADY_S = 15.0


def pause_s(outcome: Outcome, *, settled: bool, was_settled: bool, passes: int) -> float:
    """Return the seconds until a part's next pass; `was_settled`: all was as wanted at some time before."""
    if settled and not outcome.errors:
        return STEADY_S
    return FAILING_S if was_settled or passes > HASTY_PASSES else STARTING_S


class Journal:
    """Log what the passes of one part do: every change, and every error once until it changes or goes."""

    def __init__(self) -> None:
        self._log: structlog.stdlib.BoundLogger = log.get_logger("services.operator.reconcile_loop")
        self._errors: dict[str, str] = {}

    def record(self, outcome: Outcome) -> None:
        """Log one pass."""
        for change in outcome.changes:
            self._log.info("changed", change=change)
        self._record_errors(outcome.errors)

    def _record_errors(self, errors: Mapping[str, MeshError]) -> None:
        texts = {part: str(error) for part, error in errors.items()}
        for part, text in texts.items():
            if self._errors.get(part) != text:
                self._log.warning("not_reconciled", part=part, reason=errors[part].reason, error=text)
        for part in self._errors.keys() - texts.keys():
            self._log.info("reconciled_again", part=part)
        self._errors = texts


class Milestone:
    """Log when all feeds run, and when they do no more."""

    def __init__(self, all_running: Callable[[], bool]) -> None:
        self._log: structlog.stdlib.BoundLogger = log.get_logger("services.operator.reconcile_loop")
        self._all_running = all_running
        self._running = False

    def look(self) -> None:
        """Compare with the last look."""
        if self._all_running() != self._running:
            self._running = not self._running
            self._log.info("all_feeds_running" if self._running else "feeds_not_all_running")


Ended = Callable[[str, Outcome | None, float], None]
"""Is told of each pass: its part, what it came to, None if it died of a defect of ours, and the seconds it took."""


async def run(
    parts: Sequence[Part],
    all_running: Callable[[], bool],
    clock: Clock,
    passes: PassWatch | None = None,
    ended: Ended = lambda _part, _outcome, _seconds: None,
) -> None:
    """
    Reconcile every part, each in a task of its own, until cancelled; `passes` and `ended` are told of each pass.

    Raises:
        TopupRequired: when a part may not go on without a top-up that cannot be paid.
        IdentitiesRefused: when the contracts list other oracles than these nodes.
    """
    milestone, ending = Milestone(all_running), None
    try:
        async with asyncio.TaskGroup() as group:
            for part in parts:
                keeping = _keep(part, milestone, clock, passes.watching if passes else nullcontext, ended)
                group.create_task(keeping, name=f"reconcile {part.name}")
    except* ENDING as errors:
        ending = errors.exceptions[0]
    if ending is not None:
        raise ending


async def _keep(
    part: Part,
    milestone: Milestone,
    clock: Clock,
    watching: Callable[[str], AbstractContextManager[object]],
    ended: Ended,
) -> None:
    journal, was_settled, passes = Journal(), False, 0
    logger = log.get_logger("services.operator.reconcile_loop")
    while True:
        began_s = clock.monotonic()
        try:
            with watching(part.name):
                outcome = await part.run()
        except ENDING:
            raise
        except Exception:
            # This process must outlive its own defects: without it no node gets its jobs back.
            logger.exception("pass_failed", part=part.name)
            ended(part.name, None, clock.monotonic() - began_s)
            await clock.sleep(FAILING_S)
            continue
        ended(part.name, outcome, clock.monotonic() - began_s)
        journal.record(outcome)
        milestone.look()
        settled = part.is_settled()
        was_settled, passes = was_settled or settled, passes + 1
        await clock.sleep(pause_s(outcome, settled=settled, was_settled=was_settled, passes=passes))
