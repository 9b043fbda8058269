"""What is read from the chain, through endpoints that fail."""

import asyncio

import pytest

from chainlink.rpc.endpoints import Endpoint
from services.operator.concurrently import together
from services.operator.errors import ChainUnavailable
from services.operator.onchain.chain import CallReverted, Chain
from tests.operator.anvil import CHAIN_ID, Anvil
from tests.ports import free_port

ADDRESSES = [f"0x{index:040x}" for index in range(1, 6)]


def chain_at(*urls: str, chain_id: int = CHAIN_ID) -> Chain:
    """Return a chain with endpoints at these URLs."""
    return Chain([Endpoint(str(i), url) for i, url in enumerate(urls)], chain_id)


async def test_cancelled_reads_leave_nothing_behind() -> None:
    """Reads that are cancelled because one of them failed hold up no later ones, however often that happens."""
    chain = chain_at(f"http://127.0.0.1:{free_port()}")
    try:
        async with asyncio.timeout(60):
            for _ in range(20):
                with pytest.raises(ChainUnavailable):
                    await together(map(chain.balance_wei, ADDRESSES))
    finally:
        await chain.close()


async def test_another_endpoint_stands_in(anvil: Anvil) -> None:
    """While the first endpoint is away or of another chain the next one answers, also to a check."""
    chain = chain_at(f"http://127.0.0.1:{free_port()}", anvil.url)
    try:
        await chain.check()
        assert [0] * 5 == await together(map(chain.balance_wei, ADDRESSES))
    finally:
        await chain.close()


async def test_every_endpoint_is_named() -> None:
    """When no endpoint answers the error says what is wrong with each, without their URLs."""
    chain = chain_at(f"http://127.0.0.1:{free_port()}/a-key", f"http://127.0.0.1:{free_port()}/a-key")
    try:
        with pytest.raises(
            ChainUnavailable, match=r"^chain: eth_chainId: 0: no connection to 127\.0\.0\.1:\d+: .*; 1: no connection"
        ) as caught:
            await chain.check()
        assert "a-key" not in str(caught.value)
    finally:
        await chain.close()


async def test_blocks(anvil: Anvil, chain: Chain) -> None:
    """A block is found by its number, one that is not there is None, and each knows the one before it."""
    await anvil.call("anvil_mine", hex(2))
    head = await chain.head()
    before = await chain.block(head.number - 1)

    assert before is not None
    assert (before.hash, head.number - 1) == (head.parent_hash, before.number)
    assert head.time_s >= before.time_s > 1_600_000_000
    assert await chain.block(head.number + 10) is None


async def test_what_reverts_and_what_is_no_answer(anvil: Anvil, chain: Chain) -> None:
    """A contract's refusal is told from one that answers nonsense."""
    refusing, answering = "0x" + "71" * 20, "0x" + "72" * 20
    await anvil.call("anvil_setCode", refusing, "0x60006000fd")
    await anvil.call("anvil_setCode", answering, "0x60016000f3")

    with pytest.raises(CallReverted, match="no reason given"):
        await chain.read(refusing, "decimals")
    with pytest.raises(ChainUnavailable, match="not the encoding"):
        await chain.read(answering, "decimals")


async def test_there_is_no_receipt_before_the_block(anvil: Anvil, chain: Chain) -> None:
    """A transaction that no block has has no receipt."""
    assert await chain.receipt(b"\x11" * 32) is None
