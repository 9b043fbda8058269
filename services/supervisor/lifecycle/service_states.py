"""Where a service is in its life; the numbers are those of the proto and of the metrics and never change."""

from enum import IntEnum


class State(IntEnum):
    """Where a service is in its life; see `ServiceState` in the proto."""

    PENDING = 1
    STARTING = 2
    HEALTHY = 3
    UNHEALTHY = 4
    BACKOFF = 5
    STOPPING = 6
    STOPPED = 7
    COMPLETED = 8
    FAILED = 9
    SKIPPED = 10


UP = frozenset({State.STARTING, State.HEALTHY, State.UNHEALTHY})
"""States in which a service has a process that is wanted."""

COMING_UP = frozenset({State.PENDING, State.STARTING, State.BACKOFF, State.STOPPING})
"""States from which a service is expected to become healthy without anybody's help, or to be stopped soon."""

READY = frozenset({State.HEALTHY, State.COMPLETED})
"""States that a whole start aims for."""
