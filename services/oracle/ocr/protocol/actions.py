"""What an oracle does: the outputs of the state machines. The runner performs Outward, the oracle itself Inward."""

from dataclasses import dataclass

from services.oracle.ocr.protocol.events import ReadPurpose, Timer
from services.oracle.ocr.protocol.messages import AttestedReportMany, Message
from services.oracle.ocr.state import PacemakerState, PendingTransmission, SignedRound, Trace


@dataclass(frozen=True, slots=True)
class SendTo:
    """Send a message to one oracle."""

    to: int
    message: Message


@dataclass(frozen=True, slots=True)
class Broadcast:
    """Send a message to all oracles; the oracle has delivered it to itself already when this leaves it."""

    message: Message


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Start a timer, or start it anew."""

    timer: Timer
    delay_ns: int


@dataclass(frozen=True, slots=True)
class StopTimer:
    """Stop a timer if it runs."""

    timer: Timer


@dataclass(frozen=True, slots=True)
class Observe:
    """Ask the data source; answered by Observed."""

    epoch: int
    round: int


@dataclass(frozen=True, slots=True)
class ReadContract:
    """Read the contract; answered by ContractWasRead."""

    purpose: ReadPurpose
    epoch: int
    round: int


@dataclass(frozen=True, slots=True)
class SavePacemaker:
    """Save the pacemaker's state, some time soon; only the newest matters."""

    state: PacemakerState


@dataclass(frozen=True, slots=True)
class SaveSignedRound:
    """Save that a round's report is about to be signed; answered by SignedRoundSaved."""

    signed: SignedRound


@dataclass(frozen=True, slots=True)
class SavePending:
    """Save a pending transmission."""

    pending: PendingTransmission


@dataclass(frozen=True, slots=True)
class DeletePending:
    """Delete a pending transmission."""

    epoch: int
    round: int


@dataclass(frozen=True, slots=True)
class Transmit:
    """Send a report to the contract; answered by TransmitEnded."""

    pending: PendingTransmission


@dataclass(frozen=True, slots=True)
class Tell:
    """Tell a moment of a round to whoever follows."""

    trace: Trace


@dataclass(frozen=True, slots=True)
class ChangeLeader:
    """Tell the pacemaker that the leader's term is over."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Tell the pacemaker that a round completed."""


@dataclass(frozen=True, slots=True)
class StartEpoch:
    """Abort the running report generation and start one for a new epoch."""

    epoch: int
    leader: int


@dataclass(frozen=True, slots=True)
class Complete:
    """Hand a report with its signatures to the transmission."""

    epoch: int
    round: int
    report: AttestedReportMany


Outward = (
    SendTo
    | Broadcast
    | SetTimer
    | StopTimer
    | Observe
    | ReadContract
    | SavePacemaker
    | SaveSignedRound
    | SavePending
    | DeletePending
    | Transmit
    | Tell
)
Inward = ChangeLeader | Progress | StartEpoch | Complete
Action = Outward | Inward
