"""The transactions of this node: what is under way, with every attempt, and how the others ended."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from services.oracle.chain.transactions.fee_bumping import Fees
from services.oracle.chain.transactions.in_flight import Attempt, Flight, Mined
from services.oracle.chain.transactions.kept_transactions import TransactionState
from services.oracle.store.database import Database

_UNDER_WAY = (
    "SELECT t.id, t.to_address, t.data, t.gas_limit, t.nonce, a.hash, a.cap_wei, a.tip_wei, a.raw"
    " FROM transactions t JOIN transaction_attempts a ON a.transaction_id = t.id"
    " WHERE t.evm_chain_id = $1 AND t.from_address = $2 AND t.state = 'unconfirmed'"
    " ORDER BY t.nonce, t.created_at, t.id, a.created_at"
)
_MINED = (
    "SELECT t.id, t.to_address, t.data, t.gas_limit, t.nonce, t.block_number, a.hash, a.cap_wei, a.tip_wei, a.raw"
    " FROM (SELECT * FROM transactions WHERE evm_chain_id = $1 AND from_address = $2"
    " AND state IN ('confirmed', 'reverted') ORDER BY nonce DESC, created_at DESC LIMIT $3) t"
    " JOIN transaction_attempts a ON a.transaction_id = t.id"
    " ORDER BY t.nonce, t.created_at, t.id, a.created_at"
)
_INSERT_ATTEMPT = (
    "INSERT INTO transaction_attempts (hash, transaction_id, cap_wei, tip_wei, raw)"
    " SELECT $2, id, $3::numeric, $4::numeric, $5::bytea FROM transactions WHERE id = $1 ON CONFLICT DO NOTHING"
)


class TransactionStore:
    """Keep the transactions of one chain."""

    def __init__(self, database: Database, chain_id: int) -> None:
        self._database = database
        self._chain_id = chain_id

    async def begin(self, from_address: str, flight: Flight) -> None:
        """Write a transaction and its first attempt; returns before anybody else has seen it."""
        attempt = flight.last
        await self._database.execute(
            "WITH begun AS (INSERT INTO transactions"
            " (id, evm_chain_id, from_address, to_address, data, gas_limit, nonce)"
            " VALUES ($1, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING RETURNING id)"
            " INSERT INTO transaction_attempts (hash, transaction_id, cap_wei, tip_wei, raw)"
            " SELECT $2, id, $3::numeric, $4::numeric, $5::bytea FROM begun ON CONFLICT DO NOTHING",
            flight.id,
            *_attempt_values(attempt),
            self._chain_id,
            from_address,
            flight.to,
            flight.data,
            flight.gas_limit,
            flight.nonce,
        )

    async def attempt(self, flight: Flight) -> None:
        """Write the last attempt of a transaction, before it is handed over."""
        await self._database.execute(_INSERT_ATTEMPT, flight.id, *_attempt_values(flight.last))

    async def drop(self, flight: Flight) -> None:
        """Delete a transaction that nobody has seen."""
        await self._database.execute("DELETE FROM transactions WHERE id = $1", flight.id)

    async def settle(self, flight: Flight, state: TransactionState, hash_: str | None, block: int | None) -> None:
        """Write how a transaction ended."""
        sql = "UPDATE transactions SET state = $2, hash = $3, block_number = $4 WHERE id = $1"
        await self._database.execute(sql, flight.id, state, hash_, block)

    async def reopen(self, flight: Flight) -> None:
        """Write that no block has a transaction any more."""
        sql = "UPDATE transactions SET state = 'unconfirmed', hash = NULL, block_number = NULL WHERE id = $1"
        await self._database.execute(sql, flight.id)

    async def mined(self, from_address: str, count: int) -> list[Mined]:
        """Return the last transactions that blocks had, at most so many, lowest nonce first."""
        rows = await self._database.fetch(_MINED, self._chain_id, from_address, count)
        blocks = {row["id"]: row["block_number"] for row in rows}
        return [Mined(flight, blocks[flight.id]) for flight in _flights(rows)]

    async def under_way(self, from_address: str) -> list[Flight]:
        """Return what was under way when the node stopped, lowest nonce first."""
        return _flights(await self._database.fetch(_UNDER_WAY, self._chain_id, from_address))

    async def recent(self, first: int, count: int) -> tuple[Sequence[dict[str, Any]], int]:
        """Return a page of all transactions with their last attempts, newest first, and how many there are."""
        rows = await self._database.fetch(
            "SELECT t.*, a.hash AS attempt_hash, a.cap_wei, a.raw FROM transactions t JOIN LATERAL (SELECT * FROM"
            " transaction_attempts WHERE transaction_id = t.id ORDER BY created_at DESC LIMIT 1) a ON true"
            " WHERE t.evm_chain_id = $1 ORDER BY t.created_at DESC, t.id LIMIT $2 OFFSET $3",
            self._chain_id,
            count,
            first,
        )
        total = await self._database.fetch_one(
            "SELECT count(*) AS n FROM transactions WHERE evm_chain_id = $1", self._chain_id
        )
        return [dict(row) for row in rows], total["n"] if total else 0

    async def prune(self, keep_s: float) -> None:
        """Delete settled transactions that were begun longer ago than that many seconds."""
        await self._database.execute(
            "DELETE FROM transactions WHERE state <> 'unconfirmed' AND created_at < now() - make_interval(secs => $1)",
            keep_s,
        )


def _attempt_values(attempt: Attempt) -> tuple[object, ...]:
    tip = None if attempt.fees.tip_wei is None else Decimal(attempt.fees.tip_wei)
    return attempt.hash, Decimal(attempt.fees.cap_wei), tip, attempt.raw


def _flights(rows: Sequence[Any]) -> list[Flight]:
    found: dict[Any, list[Any]] = {}
    for row in rows:
        found.setdefault(row["id"], []).append(row)
    return [
        Flight(
            attempts[0]["id"],
            attempts[0]["to_address"],
            attempts[0]["data"],
            attempts[0]["gas_limit"],
            attempts[0]["nonce"],
            tuple(_attempt(row) for row in attempts),
        )
        for attempts in found.values()
    ]


def _attempt(row: Any) -> Attempt:
    tip = None if row["tip_wei"] is None else int(row["tip_wei"])
    return Attempt(row["hash"], Fees(int(row["cap_wei"]), tip), row["raw"])
