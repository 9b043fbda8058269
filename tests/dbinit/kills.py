"""
Kill PostgreSQL again and again while rows are written, and count what it has kept.

Each transaction writes one row and adds one to its writer's tally, so that after a crash can be told: every
acknowledged row is there, none is there twice, and no transaction is there by half. What was under way when the server
was killed may be there or not.
"""

import asyncio
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

import asyncpg
import psutil
from tenacity import RetryError

from services.dbinit.config import Settings
from services.dbinit.databases.session import Connection, superuser
from tests.dbinit.server import Server, answering

_WRITERS = 4
_LONGEST_LIFE_S = 0.3
# The last is how asyncpg says that a connection broke between two statements.
_LOST = (
    *(OSError, TimeoutError, asyncpg.OperatorInterventionError, asyncpg.PostgresConnectionError),
    *(asyncpg.InterfaceError, asyncpg.InternalClientError),
)
_SCHEMA = """
CREATE TABLE kept (writer int, number int, padding text);
CREATE INDEX ON kept (writer, number);
CREATE TABLE tally (writer int, rows int);
INSERT INTO tally SELECT writer, 0 FROM generate_series(0, $1 - 1) AS writer
"""

Row = tuple[int, int]


@dataclass(slots=True)
class Account:
    """What the writers know: the rows the server has acknowledged, and those it may or may not have."""

    acknowledged: set[Row] = field(default_factory=set)
    under_way: set[Row] = field(default_factory=set)
    next_number: int = 0
    cycles: int = 0
    killed_while_starting: int = 0

    def settle(self, found: Counter[Row], tallies: dict[int, int]) -> list[str]:
        """Compare with what the server has, take over what was under way, and return what is wrong, in words."""
        wrong = [f"row {row} was acknowledged and is lost" for row in sorted(self.acknowledged - found.keys())]
        wrong += [f"row {row} is there {count} times" for row, count in sorted(found.items()) if count > 1]
        unknown = found.keys() - self.acknowledged - self.under_way
        wrong += [f"row {row} was never written" for row in sorted(unknown)]
        counted = Counter(writer for writer, _ in found.elements())
        wrong += [
            f"writer {writer} has a tally of {tally} and {counted[writer]} rows: half a transaction"
            for writer, tally in sorted(tallies.items())
            if tally != counted[writer]
        ]
        self.acknowledged |= self.under_way & found.keys()
        self.under_way.clear()
        return wrong


async def prepare(settings: Settings) -> None:
    """Make the tables, in the superuser's database."""
    async with superuser(settings) as connection:
        await connection.execute(_SCHEMA.replace("$1", str(_WRITERS)))


async def cycle(server: Server, account: Account, random: Random) -> None:
    """Write until the server is killed at some instant, start it, perhaps kill it while it starts, and compare."""
    writers = [asyncio.create_task(_write(server.settings, account, writer)) for writer in range(_WRITERS)]
    if random.random() < 0.3:
        writers.append(asyncio.create_task(_checkpoint(server.settings)))
    await asyncio.sleep(random.uniform(0, _LONGEST_LIFE_S))
    _kill(server, random)
    await asyncio.gather(*writers)
    while random.random() < 0.2:
        server.launch()
        await asyncio.sleep(random.uniform(0, _LONGEST_LIFE_S))
        _kill(server, random)
        account.killed_while_starting += 1
    server.launch()
    try:
        await answering(server.settings)
    except RetryError as error:
        said = server.log.read_text().splitlines()[-20:]
        raise AssertionError("\n".join(["it does not come up again", *said])) from error
    wrong = account.settle(*await _read(server.settings))
    assert not wrong, f"after {account.cycles} cycles without a fault: {'; '.join(wrong[:20])}"
    account.cycles += 1


def _kill(server: Server, random: Random) -> None:
    """Kill the postmaster's group, as the supervisor does, or everything of the server in any order."""
    postmaster = psutil.Process(server.pid)
    victims = [postmaster]
    if random.random() < 0.5:
        # Each of its processes leads a group of its own.
        victims += postmaster.children(recursive=True)
        random.shuffle(victims)
    for victim in victims:
        with suppress(psutil.NoSuchProcess):
            victim.kill()
    server.stop(signal.SIGKILL)


async def _write(settings: Settings, account: Account, writer: int) -> None:
    """Commit row after row until the connection is lost."""

    async def work(connection: Connection) -> None:
        while True:
            row = (writer, account.next_number)
            account.next_number += 1
            account.under_way.add(row)
            async with connection.transaction():
                await connection.execute("INSERT INTO kept VALUES ($1, $2, repeat('x', 500))", *row)
                await connection.execute("UPDATE tally SET rows = rows + 1 WHERE writer = $1", writer)
            account.under_way.remove(row)
            account.acknowledged.add(row)

    await _until_killed(settings, work)


async def _checkpoint(settings: Settings) -> None:
    async def work(connection: Connection) -> None:
        while True:
            await connection.execute("CHECKPOINT")
            await asyncio.sleep(0.02)

    await _until_killed(settings, work)


async def _until_killed(settings: Settings, work: Callable[[Connection], Awaitable[None]]) -> None:
    password = settings.place.superuser_password.read_text().strip()
    with suppress(*_LOST):
        connection = await asyncpg.connect(
            host="127.0.0.1", port=settings.port, user="feedmesh", password=password, database="postgres", ssl=False
        )
        try:
            await work(connection)
        finally:
            connection.terminate()


async def _read(settings: Settings) -> tuple[Counter[Row], dict[int, int]]:
    async with superuser(settings) as connection:
        # The table itself, not the index.
        await connection.execute(
            "SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off"
        )
        rows = await connection.fetch("SELECT writer, number FROM kept")
        tallies = await connection.fetch("SELECT writer, rows FROM tally")
    return Counter((row["writer"], row["number"]) for row in rows), {row["writer"]: row["rows"] for row in tallies}
