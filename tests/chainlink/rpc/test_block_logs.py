"""The logs of one block through endpoints that give them in no, one or another way."""

from typing import Any, cast

import aiohttp
import pytest
from eth_utils.crypto import keccak

from chainlink.rpc.block_logs import logs_in_block
from chainlink.rpc.client import RpcClient
from chainlink.rpc.endpoints import Endpoint
from chainlink.rpc.errors import Malformed, RpcRefused
from tests.chainlink.rpc.misbehaving import MisbehavingRpc, without
from tests.oracle.anvil import CHAIN_ID, Aggregator

ROUND_REQUESTED = keccak(text="RoundRequested(address,bytes16,uint32,uint8)")
ADDRESS = "0x" + "Aa" * 20


async def test_by_each_way(http: aiohttp.ClientSession, aggregator: Aggregator, proxy: MisbehavingRpc) -> None:
    """An event is found by its logs, by the block's receipts and by those of each transaction; without all by none."""
    await aggregator.request_round()
    rpc = RpcClient(http, [Endpoint("proxy", proxy.url)], CHAIN_ID)
    block = await rpc.number("eth_blockNumber")
    ways = ("eth_getLogs", "eth_getBlockReceipts", "eth_getTransactionReceipt")
    expected = await logs_in_block(rpc, aggregator.address, ROUND_REQUESTED, block)
    assert 1 == len(expected)
    for count in (1, 2):
        proxy.rules = [without(*ways[:count])]
        found = await logs_in_block(rpc, aggregator.address, ROUND_REQUESTED, block)
        assert [(log["data"], log["topics"]) for log in expected] == [(log["data"], log["topics"]) for log in found]
        assert [] == await logs_in_block(rpc, aggregator.address, bytes(32), block)
        assert [] == await logs_in_block(rpc, ADDRESS, ROUND_REQUESTED, block)
    proxy.rules = [without(*ways)]
    with pytest.raises(RpcRefused):
        await logs_in_block(rpc, aggregator.address, ROUND_REQUESTED, block)


class Told:
    """Give no logs, and answer the rest as it is told."""

    def __init__(self, **answers: object) -> None:
        self._answers = answers

    async def logs(self, *_wanted: object) -> list[dict[str, Any]]:
        raise RpcRefused("eth_getLogs", -32601, "no")

    async def call(self, method: str, *_params: object) -> object:
        if method not in self._answers:
            raise RpcRefused(method, -32601, "no")
        return self._answers[method]


def log(block: int) -> dict[str, Any]:
    """Return a log of a block."""
    return {
        "address": ADDRESS.lower(),
        "topics": ["0x" + ROUND_REQUESTED.hex()],
        "blockNumber": hex(block),
        "logIndex": "0x0",
    }


@pytest.mark.parametrize(
    "answers",
    [
        {"eth_getBlockReceipts": None},
        {"eth_getBlockReceipts": [None]},
        {"eth_getBlockReceipts": [{"logs": None}]},
        {"eth_getBlockReceipts": [{"logs": [log(4)]}]},
        {"eth_getBlockByNumber": None},
        {"eth_getBlockByNumber": {"number": "0x4", "transactions": []}},
        {"eth_getBlockByNumber": {"number": "0x5", "transactions": ["0x01"]}, "eth_getTransactionReceipt": None},
    ],
    ids=str,
)
async def test_what_is_not_of_the_block_is_refused(answers: dict[str, object]) -> None:
    """Receipts of another block, or what are none, are no reason to say that the block has no such event."""
    with pytest.raises(Malformed):
        await logs_in_block(cast(RpcClient, Told(**answers)), ADDRESS, ROUND_REQUESTED, 5)
