"""A real chain, and the aggregator contract on it."""

import asyncio
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
from eth_abi.abi import encode
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from chainlink.contract import aggregator as contract
from chainlink.contract.artifact import load
from chainlink.rpc.answers import quantity
from chainlink.rpc.client import RpcClient
from chainlink.rpc.endpoints import Endpoint
from chainlink.rpc.errors import RpcUnavailable
from devkit.chain.binary import find_anvil
from tests.oracle.eventually import eventually
from tests.ports import free_port

CHAIN_ID = 1337
OWNER = "0x00000000000000000000000000000000000A11CE"
NEW_TRANSMISSION = contract.NEW_TRANSMISSION.topic
_MINED_AT_ONCE = 50


class Anvil:
    """One anvil process; any address may send. `block_time_s` None: a block for each transaction."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        block_time_s: int | None,
        state: Path | None = None,
        *,
        base_fee_wei: int = 0,
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.rpc = RpcClient(session, [Endpoint("anvil", self.url, self.url.replace("http", "ws"))], CHAIN_ID)
        self._block_time_s = block_time_s
        self._state = state
        self._base_fee_wei = base_fee_wei
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, and return when it answers."""
        interval = ("--block-time", str(self._block_time_s)) if self._block_time_s else ()
        state = ("--state", str(self._state)) if self._state else ()
        self._process = await asyncio.create_subprocess_exec(
            str(find_anvil()),
            *("--port", str(self.port), "--chain-id", str(CHAIN_ID), "--quiet", "--accounts", "0"),
            *("--auto-impersonate", "--base-fee", str(self._base_fee_wei), "--gas-price", "0", *interval, *state),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
        )

        async def answers() -> bool:
            try:
                return await self.rpc.number("eth_chainId") == CHAIN_ID
            except RpcUnavailable:
                return False

        await eventually(answers, 20, "anvil answers")

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)
            await self._process.wait()

    async def mine(self, blocks: int) -> None:
        """Make so many blocks, in pieces that a busy machine makes within a call's time."""
        for first in range(0, blocks, _MINED_AT_ONCE):
            await self.rpc.call("anvil_mine", hex(min(_MINED_AT_ONCE, blocks - first)))

    async def send(self, sender: str, to: str | None, data: bytes) -> dict[str, Any]:
        """Send a transaction of an impersonated sender, and return its receipt."""
        transaction = {"from": sender, "data": "0x" + data.hex(), "gas": hex(8_000_000)} | ({"to": to} if to else {})
        sent = await self.rpc.call("eth_sendTransaction", transaction)
        if self._block_time_s is not None:
            await self.rpc.call("evm_mine")
        receipt: dict[str, Any] = {}

        async def mined() -> bool:
            receipt.update(await self.rpc.call("eth_getTransactionReceipt", sent) or {})
            return bool(receipt)

        await eventually(mined, 10, "the transaction is in a block")
        assert 1 == quantity(receipt["status"]), f"reverted: {receipt}"
        return receipt

    async def fund(self, address: str) -> None:
        """Give an address 100 ether."""
        await self.rpc.call("anvil_setBalance", address, hex(100 * 10**18))


class Aggregator:
    """The aggregator contract on an anvil."""

    def __init__(self, anvil: Anvil, address: str) -> None:
        self.anvil = anvil
        self.address = address

    @classmethod
    async def deploy(cls, anvil: Anvil, code: bytes | None = None) -> "Aggregator":
        """Deploy one with 8 decimals and no billing; `code` is creation code other than ours."""
        zero = "0x" + "00" * 20
        types = (*("uint32",) * 5, "address", "int192", "int192", "address", "address", "uint8", "string")
        values = (0, 0, 0, 0, 0, zero, 1, 10**30, zero, zero, 8, "BTC / USD")
        await anvil.fund(OWNER)
        code = code or bytes.fromhex(load("OffchainAggregator").bytecode.removeprefix("0x"))
        receipt = await anvil.send(OWNER, None, code + encode(types, values))
        return cls(anvil, to_checksum_address(receipt["contractAddress"]))

    async def configure(self, signers: Sequence[str], transmitters: Sequence[str], f: int, encoded: bytes) -> None:
        """Set payees and configuration."""
        payees = contract.SET_PAYEES.call_data(list(transmitters), list(transmitters))
        await self.anvil.send(OWNER, self.address, payees)
        config = contract.SET_CONFIG.call_data(list(signers), list(transmitters), f, 1, encoded)
        await self.anvil.send(OWNER, self.address, config)

    async def request_round(self) -> None:
        """Ask the oracles for a round."""
        await self.anvil.send(OWNER, self.address, keccak(text="requestNewRound()")[:4])

    async def latest_round(self) -> tuple[int, int]:
        """Return the latest round id and its answer."""
        data = await self.anvil.rpc.eth_call(self.address, contract.LATEST_ROUND_DATA.selector)
        latest = contract.decode_round_data(data)
        return latest.round_id, latest.answer

    async def transmissions(self) -> list[tuple[str, bytes]]:
        """Return transmitter and observers of every round so far."""
        head = await self.anvil.rpc.number("eth_blockNumber")
        logs = await self.anvil.rpc.logs(self.address, NEW_TRANSMISSION, 0, head)
        said = [contract.NEW_TRANSMISSION.decode(log) for log in logs]
        return [(accepted["transmitter"], accepted["observers"]) for accepted in said]
