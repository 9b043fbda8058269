"""
The price process: what every asset is worth in dollars at every instant, from one seed.

The logarithm of a price is a sum of octaves of value noise with periods of 2 s, 4 s, … about 36 h. An octave's
amplitude grows with the square root of its period, so that the path looks like a random walk over seconds to hours and
returns to its level over days. No state: any instant is computed directly.
"""

from dataclasses import dataclass
from decimal import Context, Decimal
from functools import lru_cache
from math import isqrt
from typing import Final, Self

from devkit.market.assets import ASSETS
from devkit.market.errors import UnknownAsset
from devkit.market.noise import UNIT, noise
from meshkit.errors import InvalidInput

OCTAVES: Final = tuple(range(1, 18))
_ROOT_SCALE: Final = 10**6
_AMPLITUDES: Final = tuple((1000 * 2**k, isqrt(2**k * _ROOT_SCALE**2)) for k in OCTAVES)
_WALK_SCALE: Final = Decimal(UNIT * _ROOT_SCALE * 10**4)
_ARITHMETIC: Final = Context(prec=28)


@dataclass(frozen=True, slots=True)
class Pair:
    """Name a price: how many units of `quote` one unit of `base` costs."""

    base: str
    quote: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read BASE/QUOTE in any case; raise InvalidInput or UnknownAsset."""
        base, slash, quote = text.strip().upper().partition("/")
        if not (base and slash and quote) or "/" in quote:
            raise InvalidInput("pairs", text, "BASE/QUOTE, like BTC/USD")
        for symbol in (base, quote):
            if symbol not in ASSETS:
                raise UnknownAsset(symbol)
        return cls(base, quote)

    def __str__(self) -> str:
        return f"{self.base}/{self.quote}"


@dataclass(frozen=True, slots=True)
class PriceProcess:
    """
    Compute reference prices.

    The same seed and tick give the same prices everywhere. Prices change only at multiples of `tick_ms`. Within one
    second a price moves by less than 4.9 times (sum of the volatilities of its assets) basis points.
    """

    seed: int
    tick_ms: int = 250

    def tick(self, t_ms: int) -> int:
        """Return the time in ms of the last change of prices at or before `t_ms`."""
        return t_ms - t_ms % self.tick_ms

    def price(self, pair: Pair, t_ms: int) -> Decimal:
        """Return the fair price of a pair, unrounded (28 digits); raise UnknownAsset."""
        tick_ms = self.tick(t_ms)
        return _ARITHMETIC.divide(
            _in_dollars(self.seed, pair.base, tick_ms), _in_dollars(self.seed, pair.quote, tick_ms)
        )


@lru_cache(maxsize=4096)
def _in_dollars(seed: int, symbol: str, t_ms: int) -> Decimal:
    if symbol not in ASSETS:
        raise UnknownAsset(symbol)
    asset = ASSETS[symbol]
    if symbol == "USD":
        return asset.level
    total = sum(amplitude * noise(seed, symbol, period_ms, t_ms) for period_ms, amplitude in _AMPLITUDES)
    log_return = _ARITHMETIC.divide(_ARITHMETIC.multiply(Decimal(total), asset.volatility_bps), _WALK_SCALE)
    price = _ARITHMETIC.multiply(asset.level, _ARITHMETIC.exp(log_return))
    return _ARITHMETIC.multiply(price, _in_dollars(seed, asset.against, t_ms))
