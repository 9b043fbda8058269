"""The values that cross the border between the protocol and the outside: persisted state, local changes, traces."""

import enum
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PacemakerState:
    """
    Hold the pacemaker's persisted state: current epoch, highest epoch sent, highest epoch received of each oracle.

    `highest_received` has one entry per oracle, in the configuration's order.
    """

    epoch: int
    highest_sent: int
    highest_received: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SignedRound:
    """Hold the highest (epoch, round) this oracle has signed a report for; nothing up to it is ever signed again."""

    epoch: int
    round: int


@dataclass(frozen=True, slots=True)
class PendingTransmission:
    """
    Hold a report that waits for its turn in the transmission schedule.

    `due_ms` is wall-clock Unix milliseconds; `report`, `rs`, `ss` (32 bytes each) and `raw_vs` (32 bytes) are the
    arguments of the contract's `transmit`.
    """

    epoch: int
    round: int
    due_ms: int
    median: int
    report: bytes
    rs: tuple[bytes, ...]
    ss: tuple[bytes, ...]
    raw_vs: bytes


@dataclass(frozen=True, slots=True)
class Override:
    """Replace alphaPPB and deltaC (nanoseconds) locally, as a Flags contract does for hibernating feeds."""

    alpha_ppb: int
    delta_c_ns: int


class TraceKind(enum.Enum):
    """Name the moments of a round that an observer may follow."""

    EPOCH_STARTED = "epoch_started"
    ROUND_STARTED = "round_started"
    OBSERVATION_SENT = "observation_sent"
    REPORT_SENT = "report_sent"
    REPORT_DECLINED = "report_declined"
    FINAL = "final"
    TRANSMISSION_SCHEDULED = "transmission_scheduled"
    TRANSMITTED = "transmitted"
    TRANSMISSION_FAILED = "transmission_failed"
    TRANSMISSION_SKIPPED = "transmission_skipped"


@dataclass(frozen=True, slots=True)
class Trace:
    """
    Tell one moment of a round.

    `at_ms` is wall-clock Unix milliseconds, `leader` the index of the epoch's leader (None for transmissions of an
    earlier run). `observers`, their `observations` and `median` are known from REPORT_SENT on, `signers` at FINAL.
    `value` is the own observation at OBSERVATION_SENT, `due_ms` and `stage` the planned time and the own stage at
    TRANSMISSION_SCHEDULED. `detail` says why there is a report at REPORT_SENT, and why not for declined, failed and
    skipped ones.
    """

    kind: TraceKind
    epoch: int
    round: int
    at_ms: int
    leader: int | None = None
    observers: tuple[int, ...] = ()
    median: int | None = None
    value: int | None = None
    due_ms: int | None = None
    detail: str = ""
    observations: tuple[int, ...] = ()
    signers: tuple[int, ...] = ()
    stage: int | None = None
