"""The logs of one known block, also through endpoints that give no logs: they stand in its receipts too."""

import asyncio
from typing import Any

from chainlink.rpc.answers import quantity
from chainlink.rpc.client import RpcClient
from chainlink.rpc.errors import Malformed, RpcRefused
from chainlink.rpc.log_ranges import LogQuery, Logs


async def logs_in_block(rpc: RpcClient, address: str, topic: bytes, block: int) -> Logs:
    """
    Return the logs of one event that a contract emitted in a block, in the order of the block.

    Raises:
        RpcRefused: when no endpoint gives logs, nor the receipts of the block, nor those of its transactions.
        Malformed: when what is answered is not of that block.
        RpcUnavailable: when no endpoint of the chain answers.
    """
    try:
        return await rpc.logs(address, topic, block, block)
    except RpcRefused:
        receipts = await _receipts(rpc, block)
    wanted = "0x" + topic.hex()
    found = [log for receipt in receipts for log in _logs(receipt) if _is_of(log, address, wanted)]
    return LogQuery((address,), topic).read(found, block, block)


async def _receipts(rpc: RpcClient, block: int) -> list[Any]:
    try:
        found = await rpc.call("eth_getBlockReceipts", hex(block))
    except RpcRefused:
        answer = await rpc.call("eth_getBlockByNumber", hex(block), False)
        hashes = answer.get("transactions") if isinstance(answer, dict) else None
        if not isinstance(hashes, list) or quantity(answer.get("number")) != block:
            raise Malformed(f"eth_getBlockByNumber answered no block {block}") from None
        found = await asyncio.gather(*(rpc.call("eth_getTransactionReceipt", each) for each in hashes))
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise Malformed(f"no receipts of block {block}")
    return found


def _logs(receipt: Any) -> list[Any]:
    logs = receipt.get("logs")
    if not isinstance(logs, list):
        raise Malformed("a receipt without a list of logs")
    return logs


def _is_of(log: Any, address: str, topic: str) -> bool:
    topics = log.get("topics") if isinstance(log, dict) else None
    return isinstance(topics, list) and topics[:1] == [topic] and str(log.get("address")).lower() == address.lower()
