"""What a contract said last, and who remembers it for the next start."""

from dataclasses import dataclass
from typing import Protocol

from chainlink.contract.aggregator import RoundRequested, TransmissionDetails


@dataclass(frozen=True, slots=True)
class ContractState:
    """
    Hold what was read last of a contract, the newest block then, and the newest request for a round if any.

    `signed` is the newest report for it that more than f oracles signed, as it would stand in the contract.
    """

    details: TransmissionDetails
    block: int
    requested: RoundRequested | None = None
    signed: TransmissionDetails | None = None


class ContractStates(Protocol):
    """Remember one state of each contract."""

    async def load(self, contract: str, chain_id: int) -> ContractState | None:
        """Return what was noted last, or None; DatabaseUnavailable if it cannot be read."""

    def note(self, contract: str, chain_id: int, state: ContractState) -> None:
        """Replace the state of a contract, soon."""
