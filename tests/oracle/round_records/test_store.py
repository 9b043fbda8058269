"""The rounds in the node's database."""

from typing import Any

import pytest

from feedmesh.oracle.v1 import oracle_service_pb2 as pb
from meshkit.clock import ManualClock
from services.oracle.errors import DatabaseUnavailable
from services.oracle.round_records import store as stores
from services.oracle.round_records.store import RoundKey, RoundStore
from services.oracle.store.database import Database

NAME, START_MS = "BTC / USD", 1_700_000_000_000
DAY_MS = 24 * 3_600_000


def key(round_number: int, epoch: int = 1, digest: bytes = bytes(16)) -> RoundKey:
    """Return a round's key."""
    return RoundKey("0xc", digest, epoch, round_number)


def part(round_number: int, at_ms: int, detail: str = "", epoch: int = 1) -> bytes:
    """Return a part of a record with one moment."""
    moment = pb.RoundMoment(stage=pb.ROUND_STAGE_STARTED, detail=detail)
    moment.time.FromMilliseconds(at_ms)
    return pb.RoundRecord(name=NAME, epoch=epoch, round=round_number, moments=[moment]).SerializeToString()


@pytest.fixture(name="clock")
def _clock() -> ManualClock:
    return ManualClock(START_MS)


@pytest.fixture(name="store")
def _store(database: Database, clock: ManualClock) -> RoundStore:
    return RoundStore(database, clock)


async def test_a_round_grows_by_what_comes_later(store: RoundStore) -> None:
    """Moments of one round that were written at different times are one record, in the order of their times."""
    store.note(key(1), NAME, START_MS, part(1, START_MS + 5, "later"))
    await store.flush()
    store.note(key(1), NAME, START_MS + 9, part(1, START_MS, "earlier"), 42)
    await store.flush()

    (record,) = await store.newest(NAME, 9)

    assert ["earlier", "later"] == [moment.detail for moment in record.moments]
    assert [record] == list(await store.of_contract_round(NAME, 42, 9))
    assert 1 == await store.count(NAME)


async def test_what_was_written_twice_counts_once(store: RoundStore) -> None:
    """A statement that was repeated, since its answer was lost, adds no moment a second time."""
    for _ in range(2):
        store.note(key(1), NAME, START_MS, part(1, START_MS, "once"))
        await store.flush()

    (record,) = await store.newest(NAME, 9)

    assert ["once"] == [moment.detail for moment in record.moments]


async def test_rounds_are_found_by_number_and_time(store: RoundStore) -> None:
    """The newest come first; a time gives what began until then or after it, and an epoch with a round gives that."""
    for number in range(1, 6):
        store.note(key(number), NAME, START_MS + number * 1000, part(number, START_MS + number * 1000))
    store.note(key(1, 2), NAME, START_MS + 9000, part(1, START_MS + 9000, epoch=2))
    store.note(key(9), "ETH / USD", START_MS, part(9, START_MS))

    def rounds(found: Any) -> list[tuple[int, int]]:
        return [(record.epoch, record.round) for record in found]

    assert [(2, 1), (1, 5)] == rounds(await store.newest(NAME, 2))
    assert [(1, 3), (1, 2)] == rounds(await store.newest(NAME, 2, START_MS + 3999))
    assert [(1, 5), (1, 4)] == rounds(await store.after(NAME, 2, START_MS + 3000))
    assert [(1, 4)] == rounds(await store.of_epoch(NAME, 1, 4, 9))
    assert [] == rounds(await store.of_epoch(NAME, 1, 9, 9))


async def test_old_rounds_are_deleted(store: RoundStore, clock: ManualClock) -> None:
    """What is older than thirty days is thrown away, and nothing else."""
    store.note(key(1), NAME, START_MS, part(1, START_MS))
    store.note(key(2), NAME, START_MS + DAY_MS, part(2, START_MS + DAY_MS))
    await store.flush()
    clock.advance(30.5 * DAY_MS / 1000)

    await store.prune()

    assert [2] == [record.round for record in await store.newest(NAME, 9)]


async def test_rounds_have_a_size(database: Database, clock: ManualClock) -> None:
    """Of more than there is room for the oldest are thrown away, until the rest has room."""
    one = len(part(1, START_MS))
    store = RoundStore(database, clock, most_bytes=3 * one)
    for number in range(1, 7):
        store.note(key(number), NAME, START_MS + number * 1000, part(number, START_MS + number * 1000))
    await store.flush()

    await store.prune()

    assert [6, 5, 4] == [record.round for record in await store.newest(NAME, 9)]


async def test_without_room_moments_are_dropped_and_counted(
    database: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes faster than it is written is not waited for: it is dropped, counted, and later there is room again."""
    monkeypatch.setattr(stores, "_MOST_PENDING_BYTES", 2 * len(part(1, START_MS)))
    store = RoundStore(database, clock)
    for number in range(1, 6):
        store.note(key(number), NAME, START_MS + number * 1000, part(number, START_MS + number * 1000))
    assert 3 == store.dropped

    await store.flush()
    store.note(key(9), NAME, START_MS + 9000, part(9, START_MS + 9000))

    assert [9, 2, 1] == [record.round for record in await store.newest(NAME, 9)]


async def test_a_database_that_is_away_is_counted(clock: ManualClock) -> None:
    """What cannot be written is counted as dropped, and nothing of it is held for ever."""

    class Away:
        async def execute_many(self, _sql: str, _rows: object) -> None:
            raise DatabaseUnavailable("away")

    away: Any = Away()
    store = RoundStore(away, clock)
    store.note(key(1), NAME, START_MS, part(1, START_MS))

    with pytest.raises(DatabaseUnavailable):
        await store.flush()
    await store.flush()

    assert 1 == store.dropped
