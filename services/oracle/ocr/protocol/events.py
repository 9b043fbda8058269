"""What happens to an oracle: the inputs of the state machines."""

import enum
from dataclasses import dataclass

from chainlink.contract.aggregator import RoundRequested, TransmissionDetails
from services.oracle.ocr.protocol.messages import Message
from services.oracle.ocr.state import Override, PacemakerState, PendingTransmission, SignedRound


class TimerKind(enum.Enum):
    """Name the timers."""

    RESEND = "resend"
    PROGRESS = "progress"
    ROUND = "round"
    GRACE = "grace"
    TRANSMIT = "transmit"


@dataclass(frozen=True, slots=True)
class Timer:
    """Name one timer; only TRANSMIT exists more than once, for each (epoch, round) that waits."""

    kind: TimerKind
    epoch: int = 0
    round: int = 0


class ReadPurpose(enum.Enum):
    """Name what the contract's state is read for."""

    SHOULD_REPORT = "should_report"
    SHOULD_SCHEDULE = "should_schedule"
    SHOULD_TRANSMIT = "should_transmit"


@dataclass(frozen=True, slots=True)
class Started:
    """The oracle starts, with what was persisted and what the contract says (None: could not be read)."""

    pacemaker: PacemakerState | None = None
    signed: SignedRound | None = None
    pending: tuple[PendingTransmission, ...] = ()
    contract: TransmissionDetails | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """A message came from the oracle with index `sender`, oneself included."""

    sender: int
    message: Message


@dataclass(frozen=True, slots=True)
class TimerFired:
    """A timer that was set, and neither stopped nor set again since, ran out."""

    timer: Timer


@dataclass(frozen=True, slots=True)
class Observed:
    """The data source answered the Observe of a round; None: it failed or was too slow."""

    epoch: int
    round: int
    value: int | None


@dataclass(frozen=True, slots=True)
class ContractWasRead:
    """
    A ReadContract of a round ended.

    `details` is None when the read failed or was too slow. `requested` and `override` are only read for SHOULD_REPORT.
    `is_unread` tells that `details` are what was known before, since the read failed.
    """

    purpose: ReadPurpose
    epoch: int
    round: int
    details: TransmissionDetails | None
    requested: RoundRequested | None = None
    override: Override | None = None
    is_unread: bool = False


@dataclass(frozen=True, slots=True)
class SignedRoundSaved:
    """A SaveSignedRound ended; without `ok` nothing is certain about what a restart would find."""

    signed: SignedRound
    ok: bool


@dataclass(frozen=True, slots=True)
class TransmitEnded:
    """A Transmit ended; `error` is empty when the transaction was handed to the chain."""

    epoch: int
    round: int
    error: str = ""


Event = Started | Received | TimerFired | Observed | ContractWasRead | SignedRoundSaved | TransmitEnded
