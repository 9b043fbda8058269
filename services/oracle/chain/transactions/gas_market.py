"""Ask the chain what transactions pay, once a block."""

from chainlink.rpc.answers import quantity
from chainlink.rpc.client import RpcClient
from chainlink.rpc.errors import ChainError, Malformed, RpcUnavailable
from meshkit import log
from services.oracle.chain.heads import HeadTracker
from services.oracle.chain.settings import GasEstimatorSettings
from services.oracle.chain.transactions.fee_bumping import FIXED_PRICE, Market

_log = log.get_logger(__name__)
_BY_SUGGESTION = ("SuggestedPrice", "L2Suggested", "Arbitrum")


class PriceSource:
    """Know the market; what was asked for one block is not asked again, and an answer outlives a failed question."""

    def __init__(self, rpc: RpcClient, heads: HeadTracker, settings: GasEstimatorSettings) -> None:
        self._rpc = rpc
        self._heads = heads
        self._settings = settings
        self._market = Market()
        self._block: int | None = None

    async def market(self) -> Market:
        """Return what the chain says now, or said last; RpcUnavailable if it never answered."""
        if self._settings.mode == FIXED_PRICE:
            return self._market
        # Before the first head nothing tells whether an answer is of now.
        if self._block is None or self._heads.latest == 0 or self._block != self._heads.latest:
            head = self._heads.latest
            try:
                self._market = await self._ask()
            except (RpcUnavailable, ChainError) as error:
                if self._block is None:
                    raise
                _log.warning("gas_prices_unknown", error=str(error))
                return self._market
            self._block = head
        return self._market

    async def suggested(self) -> int:
        """Return the price that the node itself would offer, in wei."""
        return await self._rpc.number("eth_gasPrice")

    async def _ask(self) -> Market:
        if self._settings.mode not in _BY_SUGGESTION:
            try:
                return await self._of_blocks()
            except ChainError as error:
                _log.debug("fee_history_unknown", error=str(error))
        if self._settings.eip1559_dynamic_fees:
            return Market(base_fee_wei=await self._base_fee(), tip_wei=await self._suggested_tip())
        return Market(suggested_wei=await self._rpc.number("eth_gasPrice"))

    async def _of_blocks(self) -> Market:
        history = self._settings.block_history
        found = await self._rpc.call(
            "eth_feeHistory", hex(history.block_history_size), "latest", [history.transaction_percentile]
        )
        if not isinstance(found, dict) or not found.get("baseFeePerGas"):
            raise Malformed("eth_feeHistory answered without base fees")
        # An empty block says nothing about what has to be paid.
        used = zip(found.get("reward") or (), found.get("gasUsedRatio") or (), strict=False)
        tips = sorted(quantity(rewards[0]) for rewards, ratio in used if ratio and rewards)
        tip = tips[len(tips) // 2] if tips else None
        return Market(None, quantity(found["baseFeePerGas"][-1]), tip) if tip is not None else await self._quiet(found)

    async def _quiet(self, history: dict[str, object]) -> Market:
        """Fill the gap that a history of empty blocks leaves."""
        if self._settings.eip1559_dynamic_fees:
            base_fees = history["baseFeePerGas"]
            return Market(base_fee_wei=quantity(base_fees[-1]) if isinstance(base_fees, list) else None)
        return Market(suggested_wei=await self._rpc.number("eth_gasPrice"))

    async def _base_fee(self) -> int | None:
        block = await self._rpc.call("eth_getBlockByNumber", "latest", False)
        fee = block.get("baseFeePerGas") if isinstance(block, dict) else None
        return None if fee is None else quantity(fee)

    async def _suggested_tip(self) -> int | None:
        try:
            return await self._rpc.number("eth_maxPriorityFeePerGas")
        except ChainError:
            return None
