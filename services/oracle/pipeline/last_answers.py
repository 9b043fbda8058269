"""The last good answers of a job's bridges, which stand in for a while when a bridge fails."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from meshkit.clock import Clock


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """Hold an answer, the SHA-256 of the request that it answers, and its Unix time in milliseconds."""

    request_hash: bytes
    answered_ms: int
    body: str


class LastAnswers:
    """
    Keep the last good answer of each bridge task of one job.

    An answer is that of one task to one request: another job, another task of the same bridge, and another input do
    not get it.
    """

    def __init__(self, clock: Clock, kept: Mapping[str, KeptAnswer] | None = None) -> None:
        self._clock = clock
        self._kept = dict(kept or {})
        self._changed: set[str] = set()

    def remember(self, task_id: str, request: bytes, body: str) -> None:
        """Keep a task's answer to a request instead of the one before."""
        self._kept[task_id] = KeptAnswer(_hash(request), self._clock.time_ms(), body)
        self._changed.add(task_id)

    def recall(self, task_id: str, request: bytes, max_age_s: float) -> str | None:
        """Return a task's last answer to this very request if it is not older than that, else None."""
        kept = self._kept.get(task_id)
        if kept is None or kept.request_hash != _hash(request):
            return None
        age_ms = self._clock.time_ms() - kept.answered_ms
        # An age below zero comes of a clock that was set back: how old the answer is nobody knows.
        return kept.body if 0 <= age_ms <= max_age_s * 1000 else None

    def take_changed(self) -> dict[str, KeptAnswer]:
        """Return by task what was kept since the last call."""
        changed, self._changed = self._changed, set()
        return {task_id: self._kept[task_id] for task_id in changed}


def _hash(request: bytes) -> bytes:
    return hashlib.sha256(request).digest()
