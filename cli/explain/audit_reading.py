"""Read of a feed's contracts, ours and others', what a consumer should look at."""

import asyncio
from typing import Any

from chainlink.contract import aggregator as contract
from chainlink.contract.abi_codec import Function
from chainlink.contract.aggregator import RoundData
from chainlink.errors import InvalidOcrConfig
from chainlink.rpc.answers import quantity
from chainlink.rpc.client import RpcClient
from chainlink.rpc.errors import ChainError, Malformed, RpcRefused
from cli.explain.audit_findings import ZERO_ADDRESS, FeedRead, Owner

AGGREGATOR = Function("aggregator", (), ("address",))
PROPOSED = Function("proposedAggregator", (), ("address",))
TYPE_AND_VERSION = Function("typeAndVersion", (), ("string",))
_NO_CODE = "0x"
_NS_PER_S = 1_000_000_000


async def read(rpc: RpcClient, address: str, heartbeat_s: float | None) -> FeedRead:
    """
    Return what a feed and the aggregator behind it say at the latest block.

    Args:
        rpc: A chain's.
        address: The contract that a consumer reads, checksummed: a proxy, or an aggregator.
        heartbeat_s: How often it answers at least; None to take what an OCR1 contract is configured with, if it is one.

    Raises:
        RpcUnavailable: when no endpoint answers.
        ChainError: when what comes of the newest block is none.
    """
    block, code = await asyncio.gather(
        rpc.call("eth_getBlockByNumber", "latest", False), rpc.call("eth_getCode", address, "latest")
    )
    if not isinstance(block, dict):
        raise Malformed("eth_getBlockByNumber: no block")
    block_s = quantity(block.get("timestamp"))
    if code == _NO_CODE:
        return FeedRead(address, False, block_s)
    behind, proposed = await asyncio.gather(_say(rpc, address, AGGREGATOR), _say(rpc, address, PROPOSED))
    target = behind if isinstance(behind, str) and behind != ZERO_ADDRESS else address
    latest, refusal = await _latest(rpc, address)
    said = await asyncio.gather(
        *(_say(rpc, address, function) for function in (contract.DESCRIPTION, contract.DECIMALS, contract.OWNER)),
        *(_say(rpc, target, function) for function in (contract.MIN_ANSWER, contract.MAX_ANSWER, TYPE_AND_VERSION)),
    )
    description, decimals, owner, minimum, maximum, version = said
    found, source = (heartbeat_s, "--heartbeat") if heartbeat_s is not None else await _configured(rpc, target)
    is_proxy = target != address
    return FeedRead(
        address,
        True,
        block_s,
        aggregator=behind,
        proposed=proposed,
        latest=latest,
        refusal=refusal,
        behind=(await _latest(rpc, target))[0] if is_proxy else None,
        description=description,
        decimals=decimals,
        decimals_behind=await _say(rpc, target, contract.DECIMALS) if is_proxy else None,
        minimum=minimum,
        maximum=maximum,
        owner=await _owner(rpc, owner),
        owner_behind=await _owner(rpc, await _say(rpc, target, contract.OWNER)) if is_proxy else None,
        version=version,
        heartbeat_s=found,
        heartbeat_from=source,
    )


async def _say(rpc: RpcClient, to: str, function: Function) -> Any:
    """Return the one value of a contract's function, None if it does not have it or refuses to say."""
    try:
        return function.decode(await rpc.eth_call(to, function.call_data()))[0]
    except (RpcRefused, Malformed):
        return None


async def _latest(rpc: RpcClient, to: str) -> tuple[RoundData | None, str]:
    try:
        return contract.decode_round_data(await rpc.eth_call(to, contract.LATEST_ROUND_DATA.selector)), ""
    except (RpcRefused, Malformed) as error:
        return None, str(error)


async def _owner(rpc: RpcClient, address: str | None) -> Owner | None:
    if address is None:
        return None
    return Owner(address, await rpc.call("eth_getCode", address, "latest") != _NO_CODE)


async def _configured(rpc: RpcClient, address: str) -> tuple[float | None, str]:
    """Return the heartbeat that an OCR1 contract's oracles keep (deltaC), None if it is no such contract."""
    try:
        details = contract.decode_config_details(await rpc.eth_call(address, contract.LATEST_CONFIG_DETAILS.selector))
        if not details.config_count:
            return None, ""
        logs = await rpc.logs(address, contract.CONFIG_SET.topic, details.block, details.block)
        decoded, _ = contract.decode_config_set(logs[-1]).decode()
    except (ChainError, InvalidOcrConfig, IndexError):
        return None, ""
    return decoded.offchain.delta_c_ns / _NS_PER_S, "the contract's own configuration"
