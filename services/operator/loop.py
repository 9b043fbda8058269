"""Keep reconciling for ever: quickly until all runs and while something fails, slowly otherwise."""

from collections.abc import Mapping

import structlog

from meshkit import log
from meshkit.clock import Clock
from meshkit.errors import MeshError
from services.operator.reconciler import Outcome, Reconciler

STARTING_S = 1.0
FAILING_S = 3.0
STEADY_S = 15.0


def pause_s(outcome: Outcome, *, all_running: bool, was_running: bool) -> float:
    """Return the seconds until the next pass; `was_running` tells whether all ran at some time before."""
    if all_running and not outcome.errors:
        return STEADY_S
    return FAILING_S if was_running else STARTING_S


class Journal:
    """Log what passes do: every change, every error once until it changes or goes, and the moment when all runs."""

    def __init__(self) -> None:
        self._log: structlog.stdlib.BoundLogger = log.get_logger("services.operator.loop")
        self._errors: dict[str, str] = {}
        self._running = False

    def record(self, outcome: Outcome, *, all_running: bool) -> None:
        """Log one pass."""
        for change in outcome.changes:
            self._log.info("changed", change=change)
        self._record_errors(outcome.errors)
        if all_running != self._running:
            self._running = all_running
            self._log.info("all_feeds_running" if all_running else "feeds_not_all_running")

    def _record_errors(self, errors: Mapping[str, MeshError]) -> None:
        texts = {part: str(error) for part, error in errors.items()}
        for part, text in texts.items():
            if self._errors.get(part) != text:
                self._log.warning("not_reconciled", part=part, reason=errors[part].reason, error=text)
        for part in self._errors.keys() - texts.keys():
            self._log.info("reconciled_again", part=part)
        self._errors = texts


async def run(reconciler: Reconciler, clock: Clock) -> None:
    """Reconcile until cancelled; a defect in one pass is logged with its traceback and the next pass tried."""
    journal = Journal()
    logger = log.get_logger("services.operator.loop")
    was_running = False
    while True:
        try:
            outcome = await reconciler.run()
        except Exception:
            # This process must outlive its own defects: without it no node gets its jobs back.
            logger.exception("pass_failed")
            await clock.sleep(FAILING_S)
            continue
        all_running = reconciler.all_running
        journal.record(outcome, all_running=all_running)
        was_running = was_running or all_running
        await clock.sleep(pause_s(outcome, all_running=all_running, was_running=was_running))
