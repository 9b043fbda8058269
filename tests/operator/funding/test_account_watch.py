"""Watching accounts on a chain that is made up."""

from pathlib import Path
from typing import cast

import pytest
from structlog.testing import capture_logs

from meshkit.clock import ManualClock
from services.operator.errors import ChainUnavailable
from services.operator.funding.account_watch import FAUCET, Account, AccountWatch
from services.operator.funding.spending import DAY_MS
from services.operator.funding.spending_file import SpendingFile
from services.operator.onchain.chain import Block, Chain

_ACCOUNTS = (Account(FAUCET, "0xF"), Account("node-2", "0x2"), Account("node-3", "0x3"))


class _MadeUpChain:
    """Hold balances and nonces as of the latest block."""

    def __init__(self) -> None:
        self.balances = {"0xF": 10_000, "0x2": 1000, "0x3": 1000}
        self.nonces = dict.fromkeys(self.balances, 0)
        self.away = False

    async def head(self) -> Block:
        if self.away:
            raise ChainUnavailable("eth_getBlockByNumber", "nobody listens")
        return Block(7, b"", b"", 0)

    async def balance_wei(self, address: str, block: int | None = None) -> int:
        assert block == 7
        return self.balances[address]

    async def mined_nonce(self, address: str, block: int | None = None) -> int:
        assert block == 7
        return self.nonces[address]

    def spend(self, address: str, wei: int) -> None:
        self.balances[address] -= wei
        self.nonces[address] += 1


@pytest.fixture(name="chain")
def _chain() -> _MadeUpChain:
    return _MadeUpChain()


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> SpendingFile:
    return SpendingFile(tmp_path / "operator" / "spending.json", 1337)


def _watch(chain: _MadeUpChain, file: SpendingFile, clock: ManualClock) -> AccountWatch:
    return AccountWatch(_ACCOUNTS, cast(Chain, chain), file, clock)


async def _spend_for(chain: _MadeUpChain, watch: AccountWatch, clock: ManualClock, hours: int) -> None:
    """Let each transmitter spend 10 an hour."""
    for _ in range(hours):
        clock.advance(3600)
        for address in ("0x2", "0x3"):
            chain.spend(address, 10)
        await watch.look()


async def test_rates_and_days_are_known_after_a_while(chain: _MadeUpChain, file: SpendingFile) -> None:
    """A transmitter lasts for its balance by its own rate, the faucet by that of all transmitters."""
    clock = ManualClock(DAY_MS)
    watch = _watch(chain, file, clock)
    assert [None] * 3 == [state.days_left for state in await watch.look()]
    await _spend_for(chain, watch, clock, 10)

    faucet, second, third = watch.seen
    assert [(480, 10_000 / 480), (240, 900 / 240)] == [(one.a_day_wei, one.days_left) for one in (faucet, second)]
    assert (second.balance_wei, second.spent_wei, second.a_day_wei) == (
        third.balance_wei,
        third.spent_wei,
        third.a_day_wei,
    )
    assert 0 == faucet.spent_wei


async def test_a_top_up_hides_no_spending(chain: _MadeUpChain, file: SpendingFile) -> None:
    """What the faucet pays between two looks is counted back, also if the look of its time failed."""
    clock = ManualClock(DAY_MS)
    watch = _watch(chain, file, clock)
    await watch.look()
    chain.balances["0x2"] += 5000
    watch.credited("0x2", 5000)
    chain.spend("0x2", 30)
    chain.away = True
    with pytest.raises(ChainUnavailable):
        await watch.look()
    chain.away = False

    assert 30 == (await watch.look())[1].spent_wei


async def test_a_restart_goes_on_measuring(chain: _MadeUpChain, file: SpendingFile) -> None:
    """What was spent while nobody looked counts too, and a file of another chain does not."""
    clock = ManualClock(DAY_MS)
    watch = _watch(chain, file, clock)
    await watch.look()
    await _spend_for(chain, watch, clock, 1)
    chain.spend("0x2", 90)
    clock.advance(3600)
    assert 100 == (await _watch(chain, file, clock).look())[1].spent_wei

    other = _watch(chain, SpendingFile(file._path, 5611), clock)
    assert 0 == (await other.look())[1].spent_wei


@pytest.mark.parametrize("content", ["", "[]", '{"chainId": 1337}', '{"chainId": 1337, "accounts": {"0x2": {}}}'])
async def test_a_damaged_file_begins_anew(content: str, chain: _MadeUpChain, file: SpendingFile) -> None:
    """It is said, and nothing is lost but what was measured."""
    file.keep({})
    file._path.write_text(content)
    with capture_logs() as lines:
        watch = _watch(chain, file, ManualClock(DAY_MS))

    assert ["spending_forgotten"] == [line["event"] for line in lines]
    assert 3 == len(await watch.look())


async def test_the_faucet_says_when_it_runs_dry(chain: _MadeUpChain, file: SpendingFile) -> None:
    """Once when less than a week is left, with the time, and once when it was filled again."""
    clock = ManualClock(DAY_MS)
    watch = _watch(chain, file, clock)
    with capture_logs() as lines:
        await watch.look()
        await _spend_for(chain, watch, clock, 10)
        assert [] == lines
        chain.balances["0xF"] = 480 * 3
        await watch.look()
        await watch.look()
        chain.balances["0xF"] = 480 * 100
        await watch.look()

    assert ["faucet_runs_dry", "faucet_is_fine"] == [line["event"] for line in lines]
    assert (3.0, "1970-01-05T10:00+00:00") == (lines[0]["days_left"], lines[0]["dry_at"])
