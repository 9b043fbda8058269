"""The median over prices and their distance, in decimal arithmetic of 30 digits; values in, values out."""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal

DIGITS = Context(prec=30, rounding=ROUND_HALF_EVEN)
ONE = Decimal(1)
_HUNDREDTH = Decimal("0.01")
# A price's text has 64 digits at most, so the mean of two is exact and lies between them; and the largest price is so
# many times the smallest that hundredths of a basis point between them have forty digits.
_WIDE = Context(prec=100, rounding=ROUND_HALF_EVEN)


def median(prices: Sequence[Decimal]) -> Decimal:
    """Return the middle price, or the mean of the two middle ones for an even count; ValueError for none."""
    return weighted_median([(price, ONE) for price in prices])


def weighted_median(prices: Sequence[tuple[Decimal, Decimal]]) -> Decimal:
    """
    Return the price with half of the weight on each side, of prices with positive weights; ValueError for none.

    If the weight up to a price is exactly half, it is the mean of that price and the next one.
    """
    if not prices:
        raise ValueError("no prices")
    ordered = sorted(prices)
    left = DIGITS.divide(sum((weight for _, weight in ordered), Decimal(0)), Decimal(2))
    for index, (price, weight) in enumerate(ordered):
        left -= weight
        if left < 0:
            return price
        if left == 0:
            return _WIDE.divide(_WIDE.add(price, ordered[index + 1][0]), Decimal(2))
    return ordered[-1][0]


def spread_of(highest: Decimal, lowest: Decimal, price: Decimal) -> Decimal:
    """Return the distance of two prices in basis points of a price, to a hundredth of a point."""
    distance = DIGITS.divide(DIGITS.multiply(DIGITS.subtract(highest, lowest), Decimal(10_000)), price)
    return distance.quantize(_HUNDREDTH, context=_WIDE)


def spread_bps(prices: Sequence[Decimal], price: Decimal) -> Decimal:
    """Return highest minus lowest in basis points of the price, to a hundredth of a point."""
    return spread_of(max(prices), min(prices), price)
