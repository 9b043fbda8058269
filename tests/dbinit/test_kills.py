"""Nothing that was committed is ever lost, however often PostgreSQL is killed."""

import os
from collections import Counter
from random import Random

import pytest

from services.dbinit.databases.isolation_check import check
from services.dbinit.databases.provision import provision
from tests.dbinit.kills import Account, cycle, prepare
from tests.dbinit.server import Server, open_directory, settings_in


async def survive(cycles: int) -> Account:
    """Go through the cycles with a fresh cluster and return what the writers know."""
    server = Server(settings_in(open_directory()))
    try:
        server.start()
        await provision(server.settings)
        await prepare(server.settings)
        account = Account()
        seed = int(os.environ.get("FEEDMESH_KILLS_SEED", Random().getrandbits(32)))
        random = Random(seed)
        print(f"seed {seed}")
        while account.cycles < cycles:
            await cycle(server, account, random)
            if account.cycles % 50 == 0:
                print(f"{account.cycles} cycles, {len(account.acknowledged)} rows", flush=True)
        checked = await check(server.settings)
        assert ((), 0) == (checked.violations, checked.checksum_failures)
        assert 0 == server.stop()
    finally:
        server.remove()
    return account


async def test_nothing_committed_is_lost() -> None:
    """After each of ten kills in the middle of writing, all acknowledged rows are there, once, and whole."""
    account = await survive(10)

    assert account.acknowledged


@pytest.mark.campaign
async def test_nothing_committed_is_lost_in_a_thousand_kills() -> None:
    """The same for a thousand kills, some of them while the server still recovers from the one before."""
    account = await survive(1000)
    print(f"{len(account.acknowledged)} rows, {account.killed_while_starting} kills while starting")

    assert len(account.acknowledged) > 1000
    assert account.killed_while_starting > 100


@pytest.mark.parametrize(
    ("found", "tallies", "complaint"),
    [
        ([(0, 1)], {0: 1}, "row (0, 2) was acknowledged and is lost"),
        ([(0, 1), (0, 2), (0, 2)], {0: 3}, "row (0, 2) is there 2 times"),
        ([(0, 1), (0, 2), (0, 7)], {0: 3}, "row (0, 7) was never written"),
        ([(0, 1), (0, 2)], {0: 3}, "writer 0 has a tally of 3 and 2 rows: half a transaction"),
    ],
)
def test_a_loss_would_be_noticed(found: list[tuple[int, int]], tallies: dict[int, int], complaint: str) -> None:
    """The comparison names a lost row, one that is there twice, one that nobody wrote, and half a transaction."""
    account = Account(acknowledged={(0, 1), (0, 2)}, under_way={(0, 3)})

    assert [complaint] == account.settle(Counter(found), tallies)


def test_what_was_under_way_may_be_there_or_not() -> None:
    """A row whose commit was not acknowledged is accepted either way, and from then on belongs to what must stay."""
    account = Account(acknowledged={(0, 1)}, under_way={(0, 2), (0, 3)})
    first = account.settle(Counter([(0, 1), (0, 2)]), {0: 2})

    assert [] == first
    assert ["row (0, 2) was acknowledged and is lost"] == account.settle(Counter([(0, 1)]), {0: 1})
