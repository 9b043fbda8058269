"""
The rounds that this node keeps: written together, off the way of the rounds, and bounded in age and in size.

    note ──▶ pending moments, at most so many bytes ──each few seconds──▶ PostgreSQL ──▶ oldest deleted
                 └─▶ no room: dropped and counted, never waited for
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from feedmesh.oracle.v1 import oracle_service_pb2 as pb
from meshkit.clock import Clock
from services.oracle.errors import DatabaseUnavailable
from services.oracle.store.database import Database

KEEP_MS = 30 * 24 * 3_600_000
MOST_BYTES = 256 * 1024 * 1024
_MOST_PENDING_BYTES = 8 * 1024 * 1024
_PER_STATEMENT = 200

_WRITE = (
    "INSERT INTO rounds (contract, config_digest, epoch, round, name, began_ms, contract_round, size, record)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (contract, config_digest, epoch, round) DO UPDATE SET"
    " record = rounds.record || excluded.record, size = rounds.size + excluded.size,"
    " contract_round = coalesce(excluded.contract_round, rounds.contract_round)"
)
# Nothing of the records themselves is read for this, only the small columns.
_OLDEST_TO_KEEP = (
    "SELECT began_ms FROM (SELECT began_ms, sum(size) OVER (ORDER BY began_ms DESC) AS kept FROM rounds) aged"
    " WHERE kept > $1 ORDER BY began_ms DESC LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class RoundKey:
    """Name a round: the contract in lower case, the configuration's digest (16 bytes), epoch, and round in it."""

    contract: str
    config_digest: bytes
    epoch: int
    round: int


@dataclass(slots=True)
class _Pending:
    """Hold what is to be written of a round."""

    name: str
    began_ms: int
    contract_round: int | None = None
    parts: list[bytes] = field(default_factory=list)


class RoundStore:
    """
    Keep rounds.

    Attributes:
        dropped: How many moments were not kept, for want of room or of a database.
    """

    def __init__(
        self, database: Database, clock: Clock, *, keep_ms: int = KEEP_MS, most_bytes: int = MOST_BYTES
    ) -> None:
        self._database = database
        self._clock = clock
        self._keep_ms = keep_ms
        self._most_bytes = most_bytes
        self._pending: dict[RoundKey, _Pending] = {}
        self._pending_bytes = 0
        self.dropped = 0

    def note(self, key: RoundKey, name: str, at_ms: int, part: bytes, contract_round: int | None = None) -> None:
        """
        Remember a part of a round's record for the next flush.

        Args:
            key: The round.
            name: Its job's name.
            at_ms: When the moment was, Unix milliseconds; the first one's is that of the round.
            part: A serialized RoundRecord with what is new.
            contract_round: The contract's own number of the round, once it is known.
        """
        if self._pending_bytes + len(part) > _MOST_PENDING_BYTES:
            self.dropped += 1
            return
        pending = self._pending.get(key)
        if pending is None:
            pending = self._pending[key] = _Pending(name, at_ms)
        pending.parts.append(part)
        pending.contract_round = contract_round or pending.contract_round
        self._pending_bytes += len(part)

    async def flush(self) -> None:
        """Write what is new; what cannot be written is counted as dropped, and DatabaseUnavailable raised."""
        pending, self._pending, self._pending_bytes = list(self._pending.items()), {}, 0
        for first in range(0, len(pending), _PER_STATEMENT):
            try:
                await self._database.execute_many(
                    _WRITE, [_row(*each) for each in pending[first : first + _PER_STATEMENT]]
                )
            except DatabaseUnavailable:
                self.dropped += sum(len(held.parts) for _, held in pending[first:])
                raise

    async def prune(self) -> None:
        """Delete what is too old, and the oldest of what is too much."""
        oldest_ms = self._clock.time_ms() - self._keep_ms
        row = await self._database.fetch_one(_OLDEST_TO_KEEP, self._most_bytes)
        if row is not None:
            oldest_ms = max(oldest_ms, row["began_ms"] + 1)
        await self._database.execute("DELETE FROM rounds WHERE began_ms < $1", oldest_ms)

    async def count(self, name: str) -> int:
        """Return how many rounds of a job are kept."""
        row = await self._database.fetch_one("SELECT count(*) AS n FROM rounds WHERE name = $1", name)
        return row["n"] if row else 0

    async def newest(self, name: str, most: int, until_ms: int | None = None) -> Sequence[pb.RoundRecord]:
        """Return the last rounds of a job that began until a moment, or until now, newest first."""
        sql = (
            "SELECT record FROM rounds WHERE name = $1 AND began_ms <= $2"
            " ORDER BY began_ms DESC, epoch DESC, round DESC LIMIT $3"
        )
        return await self._records(sql, name, 2**62 if until_ms is None else until_ms, most)

    async def after(self, name: str, most: int, after_ms: int) -> Sequence[pb.RoundRecord]:
        """Return the first rounds of a job that began after a moment, newest first."""
        sql = "SELECT record FROM rounds WHERE name = $1 AND began_ms > $2 ORDER BY began_ms, epoch, round LIMIT $3"
        return (await self._records(sql, name, after_ms, most))[::-1]

    async def of_contract_round(self, name: str, number: int, most: int) -> Sequence[pb.RoundRecord]:
        """Return the rounds of a job that its contract numbered so, newest first."""
        sql = "SELECT record FROM rounds WHERE name = $1 AND contract_round = $2 ORDER BY began_ms DESC LIMIT $3"
        return await self._records(sql, name, number, most)

    async def of_epoch(self, name: str, epoch: int, round_number: int, most: int) -> Sequence[pb.RoundRecord]:
        """Return the rounds of a job with that epoch and round, of whichever configuration, newest first."""
        sql = "SELECT record FROM rounds WHERE name = $1 AND epoch = $2 AND round = $3 ORDER BY began_ms DESC LIMIT $4"
        return await self._records(sql, name, epoch, round_number, most)

    async def _records(self, sql: str, *values: object) -> Sequence[pb.RoundRecord]:
        await self.flush()
        return [_whole(row["record"]) for row in await self._database.fetch(sql, *values)]


def _row(key: RoundKey, held: _Pending) -> tuple[object, ...]:
    record = b"".join(held.parts)
    return (
        key.contract,
        key.config_digest,
        key.epoch,
        key.round,
        held.name,
        held.began_ms,
        held.contract_round,
        len(record),
        record,
    )


def _whole(record: bytes) -> pb.RoundRecord:
    """Return a record with its moments in order; one that was written twice, as after a lost answer, counts once."""
    whole = pb.RoundRecord.FromString(record)
    distinct = {moment.SerializeToString(deterministic=True): moment for moment in whole.moments}
    moments = sorted(distinct.values(), key=lambda moment: moment.time.ToNanoseconds())
    del whole.moments[:]
    whole.moments.extend(moments)
    return whole
