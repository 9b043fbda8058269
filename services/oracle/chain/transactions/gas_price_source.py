"""What the transactions of an account offer: the settings, the chain's word, and what pools said that they want."""

from chainlink.rpc.client import Submission
from chainlink.rpc.errors import ChainError, RpcUnavailable
from meshkit import log
from meshkit.clock import Clock
from services.oracle.chain.settings import GasEstimatorSettings
from services.oracle.chain.transactions.fee_bumping import Fees, Floor, bumped, first_fees, lifted, multiplied
from services.oracle.chain.transactions.gas_market import PriceSource
from services.oracle.chain.transactions.in_flight import wanted

_log = log.get_logger(__name__)
# A pool's least price is configured there and may be lowered; after that time a refusal has to teach it again.
_FLOOR_KEPT_S = 3600.0
# Where neither the pool nor the chain gives a number, the price is found in few steps.
_BLIND_FACTOR = 4


class Pricing:
    """
    Decide what a transaction offers, never more than PriceMax.

    Attributes:
        trouble: Says that a pool wants more than PriceMax, as long as it does; else empty.
    """

    def __init__(self, settings: GasEstimatorSettings, prices: PriceSource, clock: Clock) -> None:
        self.trouble = ""
        self._settings = settings
        self._prices = prices
        self._clock = clock
        self._floor = Floor()
        self._learnt_s = 0.0

    async def first(self) -> Fees:
        """Return what a new transaction offers."""
        return lifted(self._settings, first_fees(self._settings, await self._prices.market()), self._known_floor())

    async def bump(self, paid: Fees) -> Fees | None:
        """Return what takes the place of a transaction that no block took, None if PriceMax leaves no room for it."""
        fees = bumped(self._settings, paid, await self._prices.market())
        return None if fees is None else lifted(self._settings, fees, self._known_floor())

    async def raised(self, offered: Fees, submission: Submission) -> Fees | None:
        """Return what to offer pools that refused a price as too low, None if they want more than PriceMax."""
        floor = wanted(submission)
        self._learn(floor)
        if floor == Floor():
            floor = Floor(cap_wei=await self._suggested())
        fees = lifted(self._settings, offered, floor)
        if fees == offered:
            fees = multiplied(self._settings, offered, _BLIND_FACTOR)
        if fees != offered:
            return fees
        self._tell(f"a pool wants more: {self._words(submission)}; GasEstimator.PriceMax is {self._most} wei")
        return None

    def accepted(self) -> None:
        """Note that a pool took a transaction."""
        self._tell("")

    @property
    def _most(self) -> int:
        return self._settings.price_max_wei

    def _known_floor(self) -> Floor:
        if self._clock.monotonic() - self._learnt_s > _FLOOR_KEPT_S:
            self._floor = Floor()
        return self._floor

    def _learn(self, floor: Floor) -> None:
        # A base fee is that of one block; only the least tip is the pool's own.
        if floor.tip_wei > self._known_floor().tip_wei:
            _log.warning("gas_floor_learnt", tip_wei=floor.tip_wei, before_wei=self._floor.tip_wei)
            self._floor = Floor(floor.tip_wei)
        self._learnt_s = self._clock.monotonic() if floor.tip_wei else self._learnt_s

    async def _suggested(self) -> int:
        try:
            return await self._prices.suggested()
        except (ChainError, RpcUnavailable) as error:
            _log.debug("gas_price_unknown", error=str(error))
            return 0

    def _tell(self, trouble: str) -> None:
        if trouble != self.trouble:
            self.trouble = trouble
            if trouble:
                _log.error("gas_floor_above_limit", trouble=trouble)
            else:
                _log.info("gas_floor_within_limit")

    def _words(self, submission: Submission) -> str:
        return submission.refusals[0].message if submission.refusals else "without a word"
