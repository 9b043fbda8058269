"""What an account wants kept of its transactions, so that the next start knows them; the store keeps it."""

from typing import Literal, Protocol

from services.oracle.chain.transactions.in_flight import Flight, Mined

TransactionState = Literal["confirmed", "reverted", "lost"]


class KeptTransactions(Protocol):
    """
    Keep the transactions of one chain.

    All methods raise DatabaseUnavailable when nothing can be read or written.
    """

    async def begin(self, from_address: str, flight: Flight) -> None:
        """Write a transaction and its first attempt; returns before anybody else has seen it."""

    async def attempt(self, flight: Flight) -> None:
        """Write the last attempt of a transaction, before it is handed over."""

    async def drop(self, flight: Flight) -> None:
        """Delete a transaction that nobody has seen."""

    async def settle(self, flight: Flight, state: TransactionState, hash_: str | None, block: int | None) -> None:
        """Write how a transaction ended."""

    async def reopen(self, flight: Flight) -> None:
        """Write that no block has a transaction any more."""

    async def mined(self, from_address: str, count: int) -> list[Mined]:
        """Return the last transactions that blocks had, at most so many, lowest nonce first."""

    async def under_way(self, from_address: str) -> list[Flight]:
        """Return what was under way when the node stopped, lowest nonce first."""
