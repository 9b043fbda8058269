"""
What the protocol needs of the outside world, as interfaces.

Every method may raise any `Exception` for a failure: the runner counts and logs it, and goes on as the protocol says
(a failed read: what was read before decides; a failed observation: silent this round; a failed write of a signed
round: no signature). Every awaited call is cancelled when its timeout of `LocalLimits` is over.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from chainlink.contract.aggregator import RoundRequested, TransmissionDetails
from services.oracle.ocr.state import Override, PacemakerState, PendingTransmission, SignedRound, Trace


@dataclass(frozen=True, slots=True)
class LastKnown:
    """
    Hold what was read last of a contract, in this run or an earlier one; None for what never was.

    `signed` is the newest report for it that more than f oracles signed, as it would stand in the contract.
    """

    details: TransmissionDetails | None = None
    requested: RoundRequested | None = None
    signed: TransmissionDetails | None = None


class DataSource(Protocol):
    """Make observations."""

    @property
    def clock_is_off(self) -> bool:
        """Tell whether the last observation failed because our own clock is off: then the heartbeat says nothing."""
        ...

    async def observe(self, epoch: int, round_number: int) -> int:
        """Return the feed's value now, multiplied by 10**decimals and truncated; an int192."""
        ...


class ContractReader(Protocol):
    """Read the aggregator contract."""

    async def last_known(self) -> LastKnown:
        """Return what was read last, without asking the chain."""
        ...

    def note_signed(self, signed: TransmissionDetails) -> None:
        """Remember a report that more than f oracles signed for `last_known`, over a restart too."""
        ...

    async def latest_transmission_details(self) -> TransmissionDetails:
        """Return what the contract's function of that name returns at the latest block."""
        ...

    async def latest_round_requested(self) -> RoundRequested | None:
        """Return the newest RoundRequested event of the look-back window, or None when there is none."""
        ...


class ContractTransmitter(Protocol):
    """Submit reports."""

    async def transmit(self, report: bytes, rs: Sequence[bytes], ss: Sequence[bytes], raw_vs: bytes) -> None:
        """
        Send the `transmit` transaction; return once it was handed to the chain (waiting for the receipt is allowed).

        `report` is the ABI encoded report, `rs`/`ss` 32-byte words, `raw_vs` 32 bytes with recovery ids 0/1.
        """
        ...


class Network(Protocol):
    """Exchange opaque messages with the other oracles of one config; best effort, never blocking."""

    def send(self, to: int, payload: bytes) -> None:
        """Queue a message to the oracle with index `to`; the oldest queued one is dropped when the queue is full."""
        ...

    def broadcast(self, payload: bytes) -> None:
        """Queue a message to every oracle but oneself."""
        ...

    async def receive(self) -> tuple[int, bytes]:
        """Wait for the next message; return the authenticated sender's index and the bytes."""
        ...


class ProtocolStore(Protocol):
    """Keep the state that must outlive the process; one store serves one feed, `config_digest` is 16 bytes."""

    async def load_pacemaker(self, config_digest: bytes) -> PacemakerState | None:
        """Return the last saved state under that digest, or None."""
        ...

    async def save_pacemaker(self, config_digest: bytes, state: PacemakerState) -> None:
        """Replace the state under that digest."""
        ...

    async def load_signed_round(self, config_digest: bytes) -> SignedRound | None:
        """Return the highest signed round under that digest, or None."""
        ...

    async def save_signed_round(self, config_digest: bytes, signed: SignedRound) -> None:
        """Replace the highest signed round, durably: the report is sent only after this returned."""
        ...

    async def load_pending(self, config_digest: bytes) -> Sequence[PendingTransmission]:
        """Return all pending transmissions under that digest, in any order."""
        ...

    async def save_pending(self, config_digest: bytes, pending: PendingTransmission) -> None:
        """Insert or replace the pending transmission keyed (digest, epoch, round)."""
        ...

    async def delete_pending(self, config_digest: bytes, epoch: int, round_number: int) -> None:
        """Delete that pending transmission; no error when there is none."""
        ...


class ConfigOverrider(Protocol):
    """Override alphaPPB and deltaC locally (the Flags contract)."""

    async def override(self) -> Override | None:
        """Return the override in force, or None to use the configured values."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """Hold what one feed's oracle works with, beside the network; without an `overrider` nothing is overridden."""

    data_source: DataSource
    reader: ContractReader
    transmitter: ContractTransmitter
    store: ProtocolStore
    overrider: ConfigOverrider | None = None


TraceHook = Callable[[Trace], None]
"""Called synchronously for every moment of a round; must not block. What it raises is logged and dropped."""
