"""What becomes of a transaction, for whoever follows it; told when it happens, and never again."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from services.oracle.chain.transactions.in_flight import Receipt


class TransactionMoment(StrEnum):
    """
    Name the moments of a transaction.

    HANDED_OVER: an endpoint has it, or may have it. CONFIRMED, REVERTED: a block has it, and did what it says, or
    refused that. LOST: no block can have it any more. REORGANIZED: the block that had it is gone.
    """

    HANDED_OVER = "handed_over"
    CONFIRMED = "confirmed"
    REVERTED = "reverted"
    LOST = "lost"
    REORGANIZED = "reorganized"


@dataclass(frozen=True, slots=True)
class TransactionNews:
    """
    Hold one moment of a transaction.

    Attributes:
        from_address: The sender, checksummed.
        to: The contract it calls.
        data: Its call data.
        hash: The hash of the attempt that the moment is of, the last one where none is.
        receipt: What a block did with it, at CONFIRMED and REVERTED.
        reason: Why it was reverted, in the contract's words; empty where nobody can tell.
    """

    moment: TransactionMoment
    from_address: str
    to: str
    data: bytes
    hash: str
    nonce: int
    receipt: Receipt | None = None
    reason: str = ""


Follow = Callable[[TransactionNews], None]
"""Takes news of a transaction; must neither block nor raise."""


def nobody(_news: TransactionNews) -> None:
    """Take no notice."""
