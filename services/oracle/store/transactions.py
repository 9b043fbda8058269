"""The transactions this node has sent."""

from dataclasses import dataclass
from typing import Literal

from services.oracle.store.database import Database

TransactionState = Literal["unconfirmed", "confirmed", "reverted", "lost"]


@dataclass(frozen=True, slots=True)
class SentTransaction:
    """Hold one signed transaction; `raw` is what was sent."""

    hash: str
    from_address: str
    to_address: str
    nonce: int
    raw: bytes


class TransactionStore:
    """Keep the transactions of one chain."""

    def __init__(self, database: Database, chain_id: int) -> None:
        self._database = database
        self._chain_id = chain_id

    async def sent(self, transaction: SentTransaction) -> None:
        """Record a transaction that was handed to the chain."""
        await self._database.execute(
            "INSERT INTO transactions (hash, evm_chain_id, from_address, to_address, nonce, raw, state)"
            " VALUES ($1, $2, $3, $4, $5, $6, 'unconfirmed') ON CONFLICT DO NOTHING",
            transaction.hash,
            self._chain_id,
            transaction.from_address,
            transaction.to_address,
            transaction.nonce,
            transaction.raw,
        )

    async def settled(self, transaction_hash: str, state: TransactionState, block_number: int | None) -> None:
        """Record how a transaction ended."""
        sql = "UPDATE transactions SET state = $2, block_number = $3 WHERE hash = $1"
        await self._database.execute(sql, transaction_hash, state, block_number)

    async def unconfirmed(self, from_address: str) -> list[SentTransaction]:
        """Return what was still under way when the node stopped, lowest nonce first."""
        rows = await self._database.fetch(
            "SELECT hash, from_address, to_address, nonce, raw FROM transactions"
            " WHERE evm_chain_id = $1 AND from_address = $2 AND state = 'unconfirmed' ORDER BY nonce",
            self._chain_id,
            from_address,
        )
        return [SentTransaction(**dict(row)) for row in rows]

    async def prune(self, keep_s: float) -> None:
        """Delete settled transactions that were sent longer ago than that many seconds."""
        await self._database.execute(
            "DELETE FROM transactions WHERE state <> 'unconfirmed' AND sent_at < now() - make_interval(secs => $1)",
            keep_s,
        )
