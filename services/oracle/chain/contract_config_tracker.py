"""The configuration of a contract, as soon as it is deep enough in the chain."""

from dataclasses import dataclass

from chainlink.contract import aggregator
from chainlink.ocr.contract_config import ContractConfig
from chainlink.rpc.block_logs import logs_in_block
from chainlink.rpc.client import RpcClient
from chainlink.rpc.errors import Malformed
from meshkit.clock import Clock, SystemClock
from services.oracle.chain.heads import HeadTracker

_NO_DIGEST = bytes(16)
_EARLIER_BELIEVED_AFTER_S = 30.0


@dataclass(frozen=True, slots=True)
class Found:
    """Hold a configuration and the block of its event."""

    config: ContractConfig
    block: int


class ConfigTracker:
    """Look for configurations of one contract that are not known yet."""

    def __init__(
        self, rpc: RpcClient, heads: HeadTracker, contract: str, confirmations: int, clock: Clock | None = None
    ) -> None:
        self._rpc = rpc
        self._heads = heads
        self._contract = contract
        self._confirmations = confirmations
        self._clock = clock or SystemClock()
        self._earlier_since_s: float | None = None

    async def poll(self, known: bytes | None, known_count: int = 0) -> Found | None:
        """
        Return the contract's configuration if its digest is not `known` and it has its confirmations, else None.

        `known_count` is the number of the known one: an endpoint that is behind tells of an earlier one, which is not
        believed unless all go on telling of it.

        Raises:
            Malformed: when the event is missing, or its digest is not the one the contract names.
            RpcUnavailable, RpcRefused: when the chain cannot be read.
        """
        data = await self._rpc.eth_call(self._contract, aggregator.LATEST_CONFIG_DETAILS.selector)
        details = aggregator.decode_config_details(data)
        block, digest = details.block, details.config_digest
        if digest in (known, _NO_DIGEST) or not self._is_believed(details.config_count, known_count):
            self._earlier_since_s = None if digest == known else self._earlier_since_s
            return None
        head = await self._heads.poll()
        if head < block + self._confirmations - 1:
            return None
        logs = await logs_in_block(self._rpc, self._contract, aggregator.CONFIG_SET.topic, block)
        if not logs:
            raise Malformed(f"block {block} has no ConfigSet event of {self._contract}")
        config = aggregator.decode_config_set(logs[-1])
        if config.digest() != digest:
            raise Malformed(f"ConfigSet of block {block} has digest {config.digest().hex()}, not {digest.hex()}")
        return Found(config, block)

    def _is_believed(self, count: int, known_count: int) -> bool:
        if count >= known_count:
            return True
        now_s = self._clock.monotonic()
        if self._earlier_since_s is None:
            self._earlier_since_s = now_s
        return now_s - self._earlier_since_s >= _EARLIER_BELIEVED_AFTER_S
