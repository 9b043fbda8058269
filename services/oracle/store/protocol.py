"""The protocol's state in the database: what makes a restart at any instant safe."""

from collections.abc import Sequence
from decimal import Decimal

from services.oracle.ocr.state import PacemakerState, PendingTransmission, SignedRound
from services.oracle.store.database import Database


class PostgresProtocolStore:
    """Keep the state of all feeds; everything is keyed by config digest, which names the contract too."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load_pacemaker(self, config_digest: bytes) -> PacemakerState | None:
        """Return the last saved state under that digest, or None."""
        sql = "SELECT epoch, highest_sent, highest_received FROM pacemaker_states WHERE config_digest = $1"
        row = await self._database.fetch_one(sql, config_digest)
        return PacemakerState(row["epoch"], row["highest_sent"], tuple(row["highest_received"])) if row else None

    async def save_pacemaker(self, config_digest: bytes, state: PacemakerState) -> None:
        """Replace the state under that digest."""
        await self._database.execute(
            "INSERT INTO pacemaker_states VALUES ($1, $2, $3, $4) ON CONFLICT (config_digest) DO UPDATE"
            " SET epoch = $2, highest_sent = $3, highest_received = $4",
            config_digest,
            state.epoch,
            state.highest_sent,
            list(state.highest_received),
        )

    async def load_signed_round(self, config_digest: bytes) -> SignedRound | None:
        """Return the highest signed round under that digest, or None."""
        sql = "SELECT epoch, round FROM signed_rounds WHERE config_digest = $1"
        row = await self._database.fetch_one(sql, config_digest)
        return SignedRound(row["epoch"], row["round"]) if row else None

    async def save_signed_round(self, config_digest: bytes, signed: SignedRound) -> None:
        """Replace the highest signed round, on disk before it returns; a lower one never replaces a higher."""
        await self._database.execute_durably(
            "INSERT INTO signed_rounds AS held VALUES ($1, $2, $3) ON CONFLICT (config_digest) DO UPDATE"
            " SET epoch = $2, round = $3 WHERE (held.epoch, held.round) < ($2, $3)",
            config_digest,
            signed.epoch,
            signed.round,
        )

    async def load_pending(self, config_digest: bytes) -> Sequence[PendingTransmission]:
        """Return all pending transmissions under that digest."""
        rows = await self._database.fetch(
            "SELECT epoch, round, due_ms, median, report, rs, ss, raw_vs FROM pending_transmissions"
            " WHERE config_digest = $1",
            config_digest,
        )
        return [
            PendingTransmission(
                row["epoch"],
                row["round"],
                row["due_ms"],
                int(row["median"]),
                row["report"],
                tuple(row["rs"]),
                tuple(row["ss"]),
                row["raw_vs"],
            )
            for row in rows
        ]

    async def save_pending(self, config_digest: bytes, pending: PendingTransmission) -> None:
        """Insert or replace the pending transmission of that digest, epoch and round."""
        await self._database.execute(
            "INSERT INTO pending_transmissions VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
            " ON CONFLICT (config_digest, epoch, round) DO UPDATE"
            " SET due_ms = $4, median = $5, report = $6, rs = $7, ss = $8, raw_vs = $9",
            config_digest,
            pending.epoch,
            pending.round,
            pending.due_ms,
            Decimal(pending.median),
            pending.report,
            list(pending.rs),
            list(pending.ss),
            pending.raw_vs,
        )

    async def delete_pending(self, config_digest: bytes, epoch: int, round_number: int) -> None:
        """Delete that pending transmission; no error when there is none."""
        sql = "DELETE FROM pending_transmissions WHERE config_digest = $1 AND epoch = $2 AND round = $3"
        await self._database.execute(sql, config_digest, epoch, round_number)

    async def delete_pending_before(self, due_before_ms: int) -> None:
        """Delete the pending transmissions of every digest that were due before that Unix time in milliseconds."""
        await self._database.execute("DELETE FROM pending_transmissions WHERE due_ms < $1", due_before_ms)
