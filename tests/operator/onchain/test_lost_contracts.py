"""Where an account's contracts are."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from services.operator.config import FeedTarget, OperatorConfig
from services.operator.errors import ChainUnavailable
from services.operator.onchain.chain import Chain
from services.operator.onchain.known_contracts import KnownContracts
from services.operator.onchain.lost_contracts import LostContracts, address_of
from services.operator.onchain.transactions import Sender, Transaction
from tests.operator.anvil import CHAIN_ID, Anvil
from tests.waiting import until


@pytest.mark.parametrize(
    ("nonce", "address"),
    [
        (0, "0x5FbDB2315678afecb367f032d93F642f64180aa3"),
        (1, "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512"),
        (2, "0x9fE46736679d2D9a65F0992F2272dE9f3c7fa6e0"),
    ],
)
def test_addresses_are_those_that_every_chain_gives(nonce: int, address: str) -> None:
    """The first contracts of the first account of development chains are where everybody knows them to be."""
    assert address == address_of("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", nonce)


async def test_what_waits_for_a_block_may_be_a_contract(
    onchain: OperatorConfig, chain: Chain, anvil: Anvil, sender: Sender, tmp_path: Path
) -> None:
    """While something that an earlier start has sent waits, nobody knows what there is, and nothing is decided."""
    known = KnownContracts(tmp_path / "contracts.json", CHAIN_ID)
    config = replace(onchain, feeds=(FeedTarget("NOBODY / HAS", 8),))
    lost = LostContracts(config, chain, known, sender.address, (), keys_are_new=False)
    await anvil.call("evm_setAutomine", False)
    sending = asyncio.create_task(sender.send_all([Transaction("gift", "0x" + "9" * 40, value_wei=1)]))
    try:
        before = await chain.mined_nonce(sender.address)

        async def waits() -> bool:
            return await chain.next_nonce(sender.address) > before

        await until(waits, "a transaction that waits")
        with pytest.raises(ChainUnavailable, match="1 transactions of an earlier start wait for a block"):
            await lost.run()
    finally:
        await anvil.call("evm_setAutomine", True)
        await anvil.call("evm_mine")
        await sending

    assert {} == (await lost.run()).errors
