"""The few JSON-RPC calls that running the chain needs."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import aiohttp

from chainlink.rpc.errors import ChainError, RpcRefused
from chainlink.rpc.http import FAILURES, Transport
from devkit.chain.errors import RpcFailed
from devkit.chain.journal import Block
from meshkit.http.failure_words import in_words


class Rpc:
    """Call anvil on 127.0.0.1; every method raises `RpcFailed`."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"
        self._session = aiohttp.ClientSession(trust_env=False)
        self._transport = Transport(self._session)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        await self._session.close()

    async def chain_id(self) -> int:
        """Return the chain's id."""
        return int(await self._call("eth_chainId"), 16)

    async def height(self) -> int:
        """Return the number of the last block."""
        return int(await self._call("eth_blockNumber"), 16)

    async def block(self, number: int) -> Block:
        """Return a block with its raw transactions."""
        block = await self._call("eth_getBlockByNumber", hex(number), False)
        raw = [str(await self._call("eth_getRawTransactionByHash", tx_hash)) for tx_hash in block["transactions"]]
        return Block(number, int(block["timestamp"], 16), tuple(raw))

    async def mine(self, block: Block) -> None:
        """Mine a block of these transactions at its time; a chain must not mine by itself meanwhile."""
        await self._call("evm_setNextBlockTimestamp", block.timestamp_s)
        for raw in block.transactions:
            await self._call("eth_sendRawTransaction", raw)
        await self._call("evm_mine")

    async def start_mining(self, now_s: int, block_time_s: int) -> None:
        """Let the chain mine by itself from now on, and follow the machine's clock."""
        await self._call("evm_setTime", now_s)
        await self._call("evm_setIntervalMining", block_time_s)

    async def balance(self, address: str) -> int:
        """Return an account's balance in wei."""
        return int(await self._call("eth_getBalance", address, "latest"), 16)

    async def set_balance(self, address: str, wei: int) -> None:
        """Set an account's balance."""
        await self._call("anvil_setBalance", address, hex(wei))

    async def dump_state(self, timeout_s: float) -> bytes:
        """Return the whole chain as gzipped JSON: accounts, blocks, transactions with their receipts."""
        return bytes.fromhex((await self._call("anvil_dumpState", timeout_s=timeout_s))[2:])

    async def _call(self, method: str, *params: object, timeout_s: float = 10) -> Any:
        try:
            return await self._transport.ask(self._url, method, params, timeout_s=timeout_s)
        except RpcRefused as error:
            raise RpcFailed(method, error.message) from error
        except (*FAILURES, ChainError) as error:
            raise RpcFailed(method, in_words(error, self._url)) from error
