"""What an oracle reads from its feed's contract."""

from chainlink.contract import aggregator
from chainlink.contract.aggregator import RoundRequested, TransmissionDetails
from chainlink.rpc.client import RpcClient
from services.oracle.chain.heads import HeadTracker

# How far back a request for a round still counts at the start; afterwards each block is looked at once.
_LOOK_BACK_BLOCKS = 1000


class AggregatorReader:
    """Read one contract; the ContractReader of the protocol."""

    def __init__(self, rpc: RpcClient, heads: HeadTracker, contract: str) -> None:
        self._rpc = rpc
        self._heads = heads
        self._contract = contract
        self._requested: RoundRequested | None = None
        self._scanned = -1
        self._rewinds = 0

    async def latest_transmission_details(self) -> TransmissionDetails:
        """Return what the contract's function of that name returns at the latest block."""
        data = await self._rpc.eth_call(self._contract, aggregator.LATEST_TRANSMISSION_DETAILS.selector)
        return aggregator.decode_transmission_details(data)

    async def latest_round_requested(self) -> RoundRequested | None:
        """Return the newest RoundRequested event of the look-back window, or None when there is none."""
        if self._rewinds != self._heads.rewinds:
            self._requested, self._scanned, self._rewinds = None, -1, self._heads.rewinds
        head = self._heads.latest or await self._heads.poll()
        if head > self._scanned:
            first = max(self._scanned + 1, head - _LOOK_BACK_BLOCKS, 0)
            logs = await self._rpc.logs(self._contract, aggregator.ROUND_REQUESTED.topic, first, head)
            if logs:
                self._requested = aggregator.decode_round_requested(logs[-1])
            self._scanned = max(self._scanned, head)
        return self._requested
