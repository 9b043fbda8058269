"""How far a feed's set-up is."""

from enum import IntEnum


class FeedPhase(IntEnum):
    """How far a feed's set-up is; the numbers are those of the proto."""

    PENDING = 1
    DEPLOYED = 2
    CONFIGURED = 3
    RUNNING = 4


def phase(*, deployed: bool, configured: bool, jobs_missing: int) -> FeedPhase:
    """Return how far a feed's set-up is."""
    if not deployed:
        return FeedPhase.PENDING
    if not configured:
        return FeedPhase.DEPLOYED
    return FeedPhase.CONFIGURED if jobs_missing else FeedPhase.RUNNING
