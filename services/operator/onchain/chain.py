"""The chain's RPC: what is read from it, and every failure of it as one error."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_typing import BlockNumber, ChecksumAddress, HexStr
from eth_utils.abi import function_signature_to_4byte_selector
from eth_utils.address import to_checksum_address
from hexbytes import HexBytes
from web3 import AsyncHTTPProvider, AsyncWeb3
from web3.exceptions import ContractLogicError, TransactionNotFound, Web3Exception
from web3.middleware import ExtraDataToPOAMiddleware
from web3.types import EventData, LogReceipt, RPCEndpoint, TxParams, TxReceipt, Wei

from chainlink.contract import artifact
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
class _Getter:
    """Hold how to call a function without arguments, and what it answers."""

    selector: bytes
    outputs: tuple[str, ...]


class CallReverted(Exception):
    """A contract refuses a call; the text is its reason."""


class Chain:
    """Read from one chain over HTTP; every method raises ChainUnavailable if that fails."""

    def __init__(self, url: str, chain_id: int) -> None:
        self.chain_id = chain_id
        self._provider = AsyncHTTPProvider(
            url,
            request_kwargs={"timeout": aiohttp.ClientTimeout(total=_TIMEOUT_S)},
            # Whoever calls repeats the whole step, so that what it decides on is never stale.
            exception_retry_configuration=None,
        )
        self._w3: AsyncWeb3[AsyncHTTPProvider] = AsyncWeb3(self._provider)
        # BNB chains put signatures into the extra data of their blocks.
        self._w3.middleware_onion.inject(ExtraDataToPOAMiddleware, layer=0)
        compiled = artifact.load(CONTRACT)
        self._bytecode = HexBytes(compiled.bytecode)
        self._abi: Sequence[Any] = compiled.abi
        self._getters = {
            item["name"]: _Getter(
                function_signature_to_4byte_selector(f"{item['name']}()"),
                tuple(output["type"] for output in item["outputs"]),
            )
            for item in self._abi
            if item["type"] == "function" and not item["inputs"]
        }
        self._unbound = self._w3.eth.contract(abi=self._abi, bytecode=self._bytecode)

    async def close(self) -> None:
        """Close the connections."""
        await self._provider.disconnect()

    async def check(self) -> None:
        """Raise ChainUnavailable unless the chain answers and is the configured one."""
        with _guard("eth_chainId"):
            found = await self._w3.eth.chain_id
        if found != self.chain_id:
            raise ChainUnavailable("eth_chainId", f"found chain {found}, configured is {self.chain_id}")

    async def head(self) -> Block:
        """Return the latest block."""
        return await self._block("latest")

    async def block(self, number: int) -> Block | None:
        """Return a block by its number, or None if the chain has none."""
        if number > (await self.head()).number:
            return None
        return await self._block(BlockNumber(number))

    async def has_code(self, address: str) -> bool:
        """Tell whether there is a contract at an address."""
        with _guard("eth_getCode"):
            return bool(await self._w3.eth.get_code(_checksum(address)))

    async def balance_wei(self, address: str) -> int:
        """Return the balance of an account."""
        with _guard("eth_getBalance"):
            return await self._w3.eth.get_balance(_checksum(address))

    async def next_nonce(self, address: str) -> int:
        """Return the nonce of an account's next transaction, behind those that wait."""
        with _guard("eth_getTransactionCount"):
            return await self._w3.eth.get_transaction_count(_checksum(address), "pending")

    async def mined_nonce(self, address: str) -> int:
        """Return the nonce of an account's next transaction by the latest block, as if nothing waited."""
        with _guard("eth_getTransactionCount"):
            return await self._w3.eth.get_transaction_count(_checksum(address), "latest")

    async def estimate_gas(self, sender: str, to: str | None, data: bytes, value_wei: int) -> int:
        """Return the gas a transaction would take now; raises CallReverted if it would be undone."""
        with _guard("eth_estimateGas"):
            return await self._w3.eth.estimate_gas(_params(sender, to, data, value_wei))

    async def send(self, raw: bytes) -> bytes:
        """Submit a signed transaction and return its hash."""
        with _guard("eth_sendRawTransaction"):
            return bytes(await self._w3.eth.send_raw_transaction(raw))

    async def receipt(self, transaction_hash: bytes) -> TxReceipt | None:
        """Return a transaction's receipt, or None while no block has it."""
        with _guard("eth_getTransactionReceipt"):
            try:
                return await self._w3.eth.get_transaction_receipt(HexStr("0x" + transaction_hash.hex()))
            except TransactionNotFound:
                return None

    async def revert_reason(self, sender: str, to: str | None, data: bytes, value_wei: int, block: int) -> str:
        """Repeat a failed transaction as a call on the state before its block and return why it is undone."""
        try:
            with _guard("eth_call"):
                await self._w3.eth.call(_params(sender, to, data, value_wei), BlockNumber(max(block - 1, 0)))
        except CallReverted as error:
            return str(error)
        return "no reason (it would succeed on the state before its block)"

    async def read(self, address: str, function: str) -> Any:
        """Return what a contract's getter without arguments answers; raises CallReverted if it refuses."""
        getter = self._getters[function]
        call = {"to": _checksum(address), "data": "0x" + getter.selector.hex()}
        with _guard(f"{function}()"):
            # Not by web3's contracts: they look each call up in the whole ABI, which takes ten times as long.
            answer = await self._provider.make_request(RPCEndpoint("eth_call"), [call, "latest"])
            error: Any = answer.get("error")
            if error is not None:
                message = str(error.get("message", error)) if isinstance(error, dict) else str(error)
                if "revert" in message:
                    raise ContractLogicError(message)
                raise Web3Exception(message)
            values = [
                to_checksum_address(value) if kind == "address" else value
                for kind, value in zip(getter.outputs, decode(getter.outputs, HexBytes(answer["result"])), strict=True)
            ]
        return values[0] if len(values) == 1 else values

    async def logs(self, addresses: Sequence[str], event: str, first: int, last: int) -> list[EventData]:
        """Return the decoded events of one kind that contracts emitted in a range of blocks, in chain order."""
        if not addresses or last < first:
            return []
        decoder = self._unbound.events[event]()
        with _guard("eth_getLogs"):
            raw: list[LogReceipt] = await self._w3.eth.get_logs(
                {
                    "fromBlock": BlockNumber(first),
                    "toBlock": BlockNumber(last),
                    "address": [_checksum(address) for address in addresses],
                    "topics": [decoder.topic],
                }
            )
            decoded: list[EventData] = [decoder.process_log(log) for log in raw]
        return sorted(decoded, key=lambda event: (event["blockNumber"], event["logIndex"]))

    def deployment(self, *arguments: Any) -> bytes:
        """Return the creation code of a feed's contract with its constructor's arguments."""
        return bytes(HexBytes(self._unbound.constructor(*arguments).data_in_transaction))

    def call_data(self, function: str, *arguments: Any) -> bytes:
        """Return the data of a transaction that calls a function of a feed's contract."""
        return bytes(HexBytes(self._unbound.encode_abi(function, args=list(arguments))))

    async def _block(self, identifier: Any) -> Block:
        with _guard("eth_getBlockByNumber"):
            block = await self._w3.eth.get_block(identifier)
            return Block(block["number"], bytes(block["hash"]), bytes(block["parentHash"]), block["timestamp"])


def _params(sender: str, to: str | None, data: bytes, value_wei: int) -> TxParams:
    params: TxParams = {"from": _checksum(sender), "data": data, "value": Wei(value_wei)}
    if to is not None:
        params["to"] = _checksum(to)
    return params


def _checksum(address: str) -> ChecksumAddress:
    return to_checksum_address(address)


@contextmanager
def _guard(request: str) -> Iterator[None]:
    """Turn whatever the client raises into ChainUnavailable, and a revert into CallReverted."""
    try:
        yield
    except ContractLogicError as error:
        text = (error.message or "").removeprefix("execution reverted").lstrip(": ")
        raise CallReverted(text or "no reason given") from error
    except aiohttp.ClientError as error:
        # Its text may hold the whole URL, and a provider's URL the access key.
        raise ChainUnavailable(request, f"no connection ({type(error).__name__})") from None
    except (Web3Exception, DecodingError, OSError, TimeoutError, ValueError) as error:
        raise ChainUnavailable(request, f"{type(error).__name__}: {error}") from error
