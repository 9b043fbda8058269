"""One exchange's view of the market: the markets it lists, and its own last, bid and ask of each."""

from dataclasses import dataclass, field, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Final

from devkit.market.assets import ASSETS
from devkit.market.faults import SourceControl
from devkit.market.noise import UNIT, lattice, noise
from devkit.market.process import Pair, PriceProcess

OFFSET_BPS: Final = 2
"""An exchange's mid price strays from the reference by at most this much."""
_OFFSET_PERIOD_MS: Final = 32_000
_LAST_PERIOD_MS: Final = 8_000
_BPS: Final = Decimal(10**4)
_DAY_MS: Final = 86_400_000
_MINUTE_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Market:
    """Describe one listed market; prices have `decimals` fractional digits."""

    pair: Pair
    decimals: int
    trading: bool = True

    @property
    def increment(self) -> Decimal:
        """Return the smallest step of the price."""
        return Decimal(1).scaleb(-self.decimals)


@dataclass(frozen=True, slots=True)
class Tick:
    """Hold what an exchange says of a market at one instant; bid ≤ last ≤ ask, times in ms."""

    last: Decimal
    bid: Decimal
    ask: Decimal
    open: Decimal
    high: Decimal
    low: Decimal
    volume: Decimal
    time_ms: int
    trade_id: int


def market(pair: Pair, *, most_decimals: int, trading: bool = True) -> Market:
    """List a pair with about seven significant digits in its price, as far as the exchange's decimals allow."""
    level = _level(pair.base) / _level(pair.quote)
    return Market(pair, min(most_decimals, max(0, 6 - level.adjusted())), trading)


def _level(symbol: str) -> Decimal:
    asset = ASSETS[symbol]
    return asset.level if asset.against == symbol else asset.level * _level(asset.against)


@dataclass(frozen=True, slots=True)
class Venue:
    """
    Quote markets as one exchange does.

    The mid price is the reference moved by at most OFFSET_BPS, the half spread is 0.5 to 2 bps and constant for a
    market, the last trade lies between bid and ask. All of it is a function of the seed, the exchange and the time,
    but for what the control's fault makes wrong.
    """

    source: str
    process: PriceProcess
    control: SourceControl = field(default_factory=SourceControl)

    def stamp_ms(self, t_ms: int) -> int:
        """Return the time in ms that the exchange says it is at `t_ms`."""
        fault = self.control.fault
        return t_ms + (fault.shift_ms if fault.pairs is None else 0)

    def listed(self, market: Market) -> Market:
        """Return a market as the exchange lists it now."""
        fault = self.control.fault
        return replace(market, trading=False) if fault.halted and fault.touches(str(market.pair)) else market

    def tick(self, listed: Market, t_ms: int) -> Tick:
        """Return the market's tick in force at `t_ms`."""
        tick = self._true(listed, t_ms)
        fault = self.control.fault
        if not fault.touches(str(listed.pair)):
            return tick
        return replace(
            tick,
            last=fault.wrong(tick.last),
            bid=fault.wrong(tick.bid),
            ask=fault.wrong(tick.ask),
            time_ms=tick.time_ms + fault.shift_ms,
        )

    def _true(self, listed: Market, t_ms: int) -> Tick:
        time_ms = self.process.tick(t_ms)
        seed, key = self.process.seed, f"{self.source}:{listed.pair}"
        offset_bps = Decimal(OFFSET_BPS * noise(seed, f"{key}:offset", _OFFSET_PERIOD_MS, time_ms)) / UNIT
        half_bps = Decimal("1.25") + Decimal("0.75") * lattice(seed, f"{key}:spread", 0, 0) / UNIT
        lean_bps = half_bps * noise(seed, f"{key}:last", _LAST_PERIOD_MS, time_ms) / UNIT
        mid = self.process.price(listed.pair, time_ms) * (1 + offset_bps / _BPS)
        opened = self.process.price(listed.pair, time_ms - _DAY_MS - time_ms % _MINUTE_MS)
        step = listed.increment
        last = (mid * (1 + lean_bps / _BPS)).quantize(step, ROUND_HALF_EVEN)
        dollars = Decimal(2_000_000 + abs(lattice(seed, f"{key}:volume", 0, 0)) // 100)
        return Tick(
            last=last,
            bid=(mid * (1 - half_bps / _BPS)).quantize(step, ROUND_FLOOR),
            ask=(mid * (1 + half_bps / _BPS)).quantize(step, ROUND_CEILING),
            open=opened.quantize(step, ROUND_HALF_EVEN),
            high=(max(mid, opened) * Decimal("1.002")).quantize(step, ROUND_CEILING),
            low=(min(mid, opened) * Decimal("0.998")).quantize(step, ROUND_FLOOR),
            volume=(dollars / _level(listed.pair.base)).quantize(Decimal("0.00000001")),
            time_ms=time_ms,
            trade_id=time_ms // self.process.tick_ms,
        )
