"""What the operator reads from the chain and hands to it, and every failure of that as one error."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import aiohttp

from chainlink.contract import abi_codec, artifact
from chainlink.contract.abi_codec import AbiCodec, Function
from chainlink.contract.l1_fees import GAS_PRICE_ORACLE, GET_L1_FEE
from chainlink.rpc.answers import blob, quantity
from chainlink.rpc.block_logs import logs_in_block
from chainlink.rpc.client import RpcClient, Submission
from chainlink.rpc.endpoints import Endpoint
from chainlink.rpc.errors import Malformed, RpcRefused, RpcUnavailable
from chainlink.rpc.reverts import revert_reason
from meshkit.egress.connector import EgressConnector
from meshkit.egress.hosts import hosts_of
from meshkit.ethereum.address import checksummed
from services.operator.errors import ChainUnavailable

CONTRACT = "OffchainAggregator"
_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Block:
    """Hold a block's number, hash and time in seconds since the Unix epoch."""

    number: int
    hash: bytes
    parent_hash: bytes
    time_s: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """Hold what a block did with a transaction; `contract` is the address of what it deployed, else None."""

    ok: bool
    block: int
    contract: str | None


@dataclass(frozen=True, slots=True)
class Event:
    """Hold an event of a contract: who emitted it, where it stands in the chain, and its fields by name."""

    contract: str
    block: int
    index: int
    fields: dict[str, Any]


class CallReverted(Exception):
    """A contract refuses a call; the text is its reason."""


class Chain:
    """Read from one chain, over whichever endpoint answers; every method raises ChainUnavailable if that fails."""

    def __init__(self, endpoints: Sequence[Endpoint], chain_id: int, egress: Iterable[str] | None = None) -> None:
        self.chain_id = chain_id
        # Without a list of hosts, those of the endpoints.
        named = hosts_of(url for endpoint in endpoints for url in (endpoint.http_url, endpoint.ws_url))
        self._session = aiohttp.ClientSession(connector=EgressConnector(named if egress is None else egress))
        self._rpc = RpcClient(self._session, endpoints, chain_id, timeout_s=_TIMEOUT_S)

    @cached_property
    def abi(self) -> AbiCodec:
        """Return the ABI of the feeds' contracts."""
        return AbiCodec(artifact.load(CONTRACT))

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def check(self) -> None:
        """Look at every endpoint, and raise ChainUnavailable unless one answers and is of the configured chain."""
        await self._rpc.inspect()
        with _guard("eth_chainId"):
            await self._rpc.number("eth_chainId")

    async def head(self) -> Block:
        """Return the latest block."""
        with _guard("eth_getBlockByNumber"):
            found = await self._rpc.call("eth_getBlockByNumber", "latest", False)
            return _block(found)

    async def block(self, number: int) -> Block | None:
        """Return a block by its number, or None if the chain has none."""
        with _guard("eth_getBlockByNumber"):
            found = await self._rpc.call("eth_getBlockByNumber", hex(number), False)
            return None if found is None else _block(found)

    async def code(self, address: str) -> bytes:
        """Return the code of the contract at an address, empty if there is none."""
        with _guard("eth_getCode"):
            return blob(await self._rpc.call("eth_getCode", address, "latest"))

    async def has_code(self, address: str) -> bool:
        """Tell whether there is a contract at an address."""
        return bool(await self.code(address))

    async def balance_wei(self, address: str, block: int | None = None) -> int:
        """Return the balance of an account, in a block or in the latest."""
        with _guard("eth_getBalance"):
            return await self._rpc.number("eth_getBalance", address, _tag(block))

    async def l1_fee_wei(self, raw: bytes) -> int:
        """Return what a transaction's bytes cost on the chain below; 0 on a chain without that contract."""
        if not await self.has_code(GAS_PRICE_ORACLE):
            return 0
        with _guard("getL1Fee()"):
            found = await self._rpc.eth_call(GAS_PRICE_ORACLE, GET_L1_FEE.call_data(raw))
            return int(GET_L1_FEE.decode(found)[0])

    async def next_nonce(self, address: str) -> int:
        """Return the nonce of an account's next transaction, behind those that wait."""
        with _guard("eth_getTransactionCount"):
            return await self._rpc.number("eth_getTransactionCount", address, "pending")

    async def mined_nonce(self, address: str, block: int | None = None) -> int:
        """Return the nonce of an account's next transaction by a block or the latest, as if nothing waited."""
        with _guard("eth_getTransactionCount"):
            return await self._rpc.number("eth_getTransactionCount", address, _tag(block))

    async def suggested_gas_price_wei(self) -> int:
        """Return the price for a unit of gas that the chain suggests; 0 where it suggests none."""
        try:
            with _guard("eth_gasPrice"):
                return await self._rpc.number("eth_gasPrice")
        except ChainUnavailable:
            return 0

    async def estimate_gas(self, sender: str, to: str | None, data: bytes, value_wei: int) -> int:
        """Return the gas a transaction would take now; raises CallReverted if it would be undone."""
        with _guard("eth_estimateGas"):
            return await self._rpc.number("eth_estimateGas", _call(sender, to, data, value_wei))

    async def submit(self, raw: bytes) -> Submission:
        """Hand a signed transaction to every endpoint, and return how they took it; never raises."""
        return await self._rpc.submit(raw)

    async def receipt(self, transaction_hash: bytes) -> Receipt | None:
        """Return a transaction's receipt, or None while no block has it."""
        text = "0x" + transaction_hash.hex()
        with _guard("eth_getTransactionReceipt"):
            found = await self._rpc.call("eth_getTransactionReceipt", text)
            return None if found is None else _receipt(found, text)

    async def revert_reason(self, sender: str, to: str | None, data: bytes, value_wei: int, block: int) -> str:
        """Repeat a failed transaction as a call on the state before its block and return why it is undone."""
        try:
            with _guard("eth_call"):
                await self._rpc.call("eth_call", _call(sender, to, data, value_wei), hex(max(block - 1, 0)))
        except CallReverted as error:
            return str(error)
        return "no reason (it would succeed on the state before its block)"

    async def read(self, address: str, function: str, *arguments: object) -> Any:
        """Return what a function of a feed's contract answers; raises CallReverted if it refuses."""
        return await self.ask(address, self.abi.functions[function], *arguments)

    async def ask(self, address: str, function: Function, *arguments: object) -> Any:
        """Return what a contract's function answers: a value, or a tuple of them; CallReverted if it refuses."""
        with _guard(f"{function.name}()"):
            values = function.decode(await self._rpc.eth_call(address, function.call_data(*arguments)))
        return values[0] if len(values) == 1 else values

    async def logs(self, addresses: Sequence[str], event: str | abi_codec.Event, first: int, last: int) -> list[Event]:
        """
        Return the decoded events of one kind that contracts emitted in a range of blocks, in chain order.

        `event` is one of the contract of OCR1 by its name, or any by its form.
        """
        if not addresses or last < first:
            return []
        form = self.abi.events[event] if isinstance(event, str) else event
        with _guard("eth_getLogs"):
            if first == last and len(addresses) == 1:
                found = await logs_in_block(self._rpc, addresses[0], form.topic, first)
            else:
                found = await self._rpc.logs(addresses, form.topic, first, last)
            return [
                Event(
                    checksummed(log["address"]),
                    quantity(log["blockNumber"]),
                    quantity(log["logIndex"]),
                    form.decode(log),
                )
                for log in found
            ]

    def deployment(self, *arguments: Any) -> bytes:
        """Return the creation code of a feed's contract with its constructor's arguments."""
        return self.abi.deployment(*arguments)

    def call_data(self, function: str, *arguments: Any) -> bytes:
        """Return the data of a transaction that calls a function of a feed's contract."""
        return self.abi.call(function, *arguments)


def _tag(block: int | None) -> str:
    return "latest" if block is None else hex(block)


def _block(found: object) -> Block:
    if not isinstance(found, dict):
        raise Malformed(f"a block that is {type(found).__name__}")
    return Block(
        quantity(found.get("number")),
        blob(found.get("hash")),
        blob(found.get("parentHash")),
        quantity(found.get("timestamp")),
    )


def _receipt(found: object, transaction_hash: str) -> Receipt | None:
    if not isinstance(found, dict):
        raise Malformed(f"a receipt that is {type(found).__name__}")
    if str(found.get("transactionHash")).lower() != transaction_hash:
        raise Malformed(f"a receipt of {found.get('transactionHash')}, asked was {transaction_hash}")
    if found.get("blockNumber") is None:
        return None
    made = found.get("contractAddress")
    contract = None if made is None else checksummed(str(made))
    return Receipt(quantity(found.get("status")) == 1, quantity(found["blockNumber"]), contract)


def _call(sender: str, to: str | None, data: bytes, value_wei: int) -> dict[str, str]:
    call = {"from": sender, "data": "0x" + data.hex(), "value": hex(value_wei)}
    return call if to is None else call | {"to": to}


@contextmanager
def _guard(request: str) -> Iterator[None]:
    """Turn whatever the client raises into ChainUnavailable, and a revert into CallReverted."""
    try:
        yield
    except RpcRefused as error:
        if (reason := revert_reason(error)) is not None:
            raise CallReverted(reason) from error
        raise ChainUnavailable(request, f"{error.message} (code {error.code})") from error
    except (RpcUnavailable, Malformed, ValueError) as error:
        raise ChainUnavailable(request, str(error).removeprefix(f"{request}: ")) from error
