"""The transactions of this node: what is under way, with every attempt, and how the others ended."""

from collections.abc import Sequence
from dataclasses import dataclass
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
_SENT = (
    "SELECT t.evm_chain_id, t.from_address, t.to_address, t.data, t.gas_limit, t.nonce, t.state, t.block_number,"
    " a.hash, a.cap_wei, a.raw FROM transactions t JOIN transaction_attempts a ON a.transaction_id = t.id"
)
_LAST_ONLY = (
    "WHERE a.hash = (SELECT hash FROM transaction_attempts WHERE transaction_id = t.id"
    " ORDER BY created_at DESC, hash LIMIT 1)"
)
_NEWEST_FIRST = "ORDER BY t.created_at DESC, a.created_at DESC, a.hash LIMIT $1 OFFSET $2"
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

    async def prune(self, keep_s: float) -> None:
        """Delete settled transactions that were begun longer ago than that many seconds."""
        await self._database.execute(
            "DELETE FROM transactions WHERE state <> 'unconfirmed' AND created_at < now() - make_interval(secs => $1)",
            keep_s,
        )


@dataclass(frozen=True, slots=True)
class SentAttempt:
    """Hold one attempt with its transaction, as it is shown; `block` is that which has the transaction."""

    chain_id: int
    from_address: str
    to_address: str
    data: bytes
    gas_limit: int
    nonce: int
    state: str
    block: int | None
    hash: str
    price_wei: int
    raw: bytes


class TransactionLog:
    """Show what the accounts of all chains sent."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def transactions(self, first: int, count: int) -> tuple[Sequence[SentAttempt], int]:
        """Return a page of all transactions, each with its last attempt, newest first, and how many there are."""
        rows = await self._database.fetch(f"{_SENT} {_LAST_ONLY} {_NEWEST_FIRST}", count, first)
        return _sent(rows), await self._count("transactions")

    async def attempts(self, first: int, count: int) -> tuple[Sequence[SentAttempt], int]:
        """Return a page of all attempts, newest first, and how many there are."""
        rows = await self._database.fetch(f"{_SENT} {_NEWEST_FIRST}", count, first)
        return _sent(rows), await self._count("transaction_attempts")

    async def attempt(self, hash_: str) -> SentAttempt | None:
        """Return the attempt of a hash, None if there is none."""
        return next(iter(_sent(await self._database.fetch(f"{_SENT} WHERE a.hash = $1", hash_))), None)

    async def _count(self, table: str) -> int:
        total = await self._database.fetch_one(f"SELECT count(*) AS n FROM {table}")  # noqa: S608 # one of two names
        return total["n"] if total else 0


def _sent(rows: Sequence[Any]) -> list[SentAttempt]:
    return [
        SentAttempt(
            row["evm_chain_id"],
            row["from_address"],
            row["to_address"],
            row["data"],
            row["gas_limit"],
            row["nonce"],
            row["state"],
            row["block_number"],
            row["hash"],
            int(row["cap_wei"]),
            row["raw"],
        )
        for row in rows
    ]


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
