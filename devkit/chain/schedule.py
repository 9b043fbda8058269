"""When to take a snapshot: soon after a transaction, but not so often that it costs much."""

from __future__ import annotations

from dataclasses import dataclass

# A snapshot stops anvil while it lasts; this keeps that below a twentieth of the time.
REST_PER_SNAPSHOT = 20
LEAST_INTERVAL_S = 1.0
# Empty blocks are worth no snapshot, but the journal must not grow without end.
EMPTY_BLOCKS = 60


@dataclass(slots=True)
class Schedule:
    """Follow transactions, blocks and snapshots; times are monotonic seconds."""

    _changed: bool = False
    _blocks: int = 0
    _not_before_s: float = 0.0

    def saw_block(self, transactions: int) -> None:
        """Take note of a new block."""
        self._blocks += 1
        self._changed = self._changed or transactions > 0

    def changed(self) -> None:
        """Take note of a change that is in no block, like a balance that was set."""
        self._changed = True

    def is_due(self, now_s: float) -> bool:
        """Tell whether to take a snapshot now."""
        return (self._changed or self._blocks >= EMPTY_BLOCKS) and now_s >= self._not_before_s

    def took_snapshot(self, started_s: float, ended_s: float) -> None:
        """Take note of a snapshot; the next one comes 1 s, or 20 times its duration, after its start or later."""
        self._changed = False
        self._blocks = 0
        self._not_before_s = started_s + max(LEAST_INTERVAL_S, REST_PER_SNAPSHOT * (ended_s - started_s))

    def failed_snapshot(self, now_s: float) -> None:
        """Take note of a snapshot that failed; it is tried again after the least interval."""
        self._not_before_s = now_s + LEAST_INTERVAL_S
