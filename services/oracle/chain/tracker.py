"""The configuration of a contract, as soon as it is deep enough in the chain."""

from dataclasses import dataclass

from chainlink.contract import aggregator
from chainlink.ocr.contract_config import ContractConfig
from chainlink.rpc.client import RpcClient
from chainlink.rpc.errors import Malformed
from services.oracle.chain.heads import HeadTracker

_NO_DIGEST = bytes(16)


@dataclass(frozen=True, slots=True)
class Found:
    """Hold a configuration and the block of its event."""

    config: ContractConfig
    block: int


class ConfigTracker:
    """Look for configurations of one contract that are not known yet."""

    def __init__(self, rpc: RpcClient, heads: HeadTracker, contract: str, confirmations: int) -> None:
        self._rpc = rpc
        self._heads = heads
        self._contract = contract
        self._confirmations = confirmations

    async def poll(self, known: bytes | None) -> Found | None:
        """
        Return the contract's configuration if its digest is not `known` and it has its confirmations, else None.

        Raises:
            Malformed: when the event is missing, or its digest is not the one the contract names.
            RpcUnavailable, RpcRefused: when the chain cannot be read.
        """
        data = await self._rpc.eth_call(self._contract, aggregator.LATEST_CONFIG_DETAILS.selector)
        details = aggregator.decode_config_details(data)
        block, digest = details.block, details.config_digest
        if digest in (known, _NO_DIGEST):
            return None
        head = await self._heads.poll()
        if head < block + self._confirmations - 1:
            return None
        logs = await self._rpc.logs(self._contract, aggregator.CONFIG_SET.topic, block, block)
        if not logs:
            raise Malformed(f"block {block} has no ConfigSet event of {self._contract}")
        config = aggregator.decode_config_set(logs[-1])
        if config.digest() != digest:
            raise Malformed(f"ConfigSet of block {block} has digest {config.digest().hex()}, not {digest.hex()}")
        return Found(config, block)
