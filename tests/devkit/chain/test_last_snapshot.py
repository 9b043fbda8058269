import gzip
from pathlib import Path
from typing import cast

from devkit.chain.config import ChainConfig
from devkit.chain.devchain import DevChain
from devkit.chain.journal import Block, Journal
from devkit.chain.rpc import Rpc
from meshkit.clock import ManualClock


class _MinedMeanwhile:
    """A chain that mines one more block while its state is written."""

    def __init__(self) -> None:
        self._height = 3

    async def height(self) -> int:
        return self._height

    async def block(self, number: int) -> Block:
        return Block(number, 1_800_000_000 + number, ())

    async def dump_state(self, _timeout_s: float) -> bytes:
        self._height += 1
        return gzip.compress(b"{}")


async def test_the_journal_reaches_as_far_as_the_last_snapshot(tmp_path: Path) -> None:
    """Blocks that nobody followed before a snapshot are in the journal too: the snapshot before it may be needed."""
    chain = DevChain(ChainConfig(8545, 1337, 1, tmp_path, ()), Path("anvil"), ManualClock())
    await chain._snapshot(cast(Rpc, _MinedMeanwhile()), 1.0)
    assert [1, 2, 3, 4] == [block.number for block in Journal(tmp_path).after(0)]
