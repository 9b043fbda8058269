"""What the operator's transactions offer for gas: the setting, and more where pools say that they want more."""

from collections.abc import Awaitable, Callable, Sequence

from chainlink.rpc.errors import RpcRefused
from chainlink.rpc.refusals import Refusal, of_transaction
from meshkit import log
from meshkit.clock import Clock

_log = log.get_logger(__name__)
# A pool's least price is configured there and may be lowered; after that time a refusal has to teach it again.
_FLOOR_KEPT_S = 3600.0
# Where neither the pool nor the chain gives a number, the price is found in few steps.
_BLIND_FACTOR = 4
# What pools ask of a replacement over the transaction in its place.
_LEAST_RAISE_PERCENT = 10
Suggested = Callable[[], Awaitable[int]]
"""Return the price that the chain suggests, in wei; 0 where it suggests none."""


class GasPrice:
    """Offer `configured_wei` for each unit of gas, or what is wanted at least, up to `most_wei`."""

    def __init__(self, configured_wei: int, most_wei: int, clock: Clock) -> None:
        self._configured_wei = configured_wei
        self._most_wei = max(most_wei, configured_wei)
        self._clock = clock
        self._floor_wei = 0
        self._learnt_s = 0.0
        self._told_wei = 0

    @property
    def wei(self) -> int:
        """Return what a new transaction offers."""
        if self._clock.monotonic() - self._learnt_s > _FLOOR_KEPT_S:
            self._floor_wei = 0
        return max(self._configured_wei, self._floor_wei)

    async def raised(self, offered_wei: int, refusals: Sequence[RpcRefused], suggested: Suggested) -> int | None:
        """Return what to offer pools that refused a price as too low, None if they want more than may be offered."""
        wanted = [meaning for meaning in map(of_transaction, refusals) if meaning.kind is Refusal.UNDERPRICED]
        floor_wei = max((meaning.tip_wei or 0 for meaning in wanted), default=0)
        base_wei = max((meaning.cap_wei or 0 for meaning in wanted), default=0)
        self._learn(floor_wei)
        price_wei = max(floor_wei, _with_rise(base_wei))
        if price_wei <= offered_wei:
            price_wei = _with_rise(await suggested())
        if price_wei <= offered_wei:
            price_wei = min(offered_wei * _BLIND_FACTOR, max(self._most_wei, offered_wei))
        if max(floor_wei, base_wei) > self._most_wei or price_wei <= offered_wei:
            self._tell(max(floor_wei, base_wei, offered_wei + 1))
            return None
        return min(price_wei, self._most_wei)

    async def replacing(self, offered_wei: int, suggested: Suggested) -> int | None:
        """Return what takes the place of a transaction that waits, None unless the chain wants more by now."""
        wanted_wei = await suggested()
        if wanted_wei <= offered_wei:
            return None
        least_wei = offered_wei * (100 + _LEAST_RAISE_PERCENT) // 100 + 1
        if least_wei > self._most_wei:
            self._tell(wanted_wei)
            return None
        return min(max(_with_rise(wanted_wei), least_wei), self._most_wei)

    def accepted(self) -> None:
        """Note that a transaction was taken."""
        self._told_wei = 0

    def _learn(self, floor_wei: int) -> None:
        # A base fee is that of one block; only the least price is the pool's own.
        if floor_wei > self._most_wei:
            return
        if floor_wei > self.wei:
            _log.warning("gas_floor_learnt", floor_wei=floor_wei, offered_wei=self.wei)
            self._floor_wei = floor_wei
        self._learnt_s = self._clock.monotonic() if floor_wei else self._learnt_s

    def _tell(self, floor_wei: int) -> None:
        if not self._told_wei:
            self._told_wei = floor_wei
            _log.error("gas_floor_above_limit", floor_wei=floor_wei, most_wei=self._most_wei)


def _with_rise(wei: int) -> int:
    """Return a price that is enough for the next block too, whose base fee may be an eighth higher."""
    return wei + -(-wei // 8)
