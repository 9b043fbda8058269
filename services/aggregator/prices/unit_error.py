"""
Whether a price looks like another one in the wrong unit: a power of ten, the inverse, ounces for grams.

Such a factor is a defect of the source or of our reading of it far more often than a move of the market, and it stays
for as long as the defect does. So a source that repeats it proves nothing.
"""

from decimal import ROUND_HALF_EVEN, Context, Decimal

_DIGITS = Context(prec=30, rounding=ROUND_HALF_EVEN)
_ONE = Decimal(1)
# The market may have moved since the price compared with; a power of ten is far from any other number all the same.
_POWER_TOLERANCE = Decimal("1.2")
_TOLERANCE = Decimal("1.03")
# No market moves so far before it is looked at again, so beyond it a factor counts as loosely as a power of ten.
_FAR = Decimal(10)
_FAR_TOLERANCE = Decimal("1.1")
# Factors between the units in which venues price the same thing.
_MULTIPLES = {
    "grams to troy ounces": Decimal("31.1034768"),
    "troy ounces to kilograms": Decimal("32.1507466"),
    "grams to ounces": Decimal("28.3495231"),
    "pounds to troy ounces": Decimal("14.5833333"),
    "kilograms to pounds": Decimal("2.20462262"),
    "barrels to gallons": Decimal(42),
}


def ratio(price: Decimal, other: Decimal) -> Decimal:
    """Return how many times the smaller of two positive prices the larger one is: 1 or more."""
    return _DIGITS.divide(max(price, other), min(price, other))


def unit_error(price: Decimal, reference: Decimal) -> str | None:
    """
    Return the name of the factor if a price is near such a multiple of a reference, None if it is not.

    Both are positive. Powers of ten count within a fifth, since the market may have moved meanwhile; so does an inverse
    that is ten times the reference or more. A nearer inverse and the other multiples count within three hundredths,
    multiples of ten or more within a tenth, and also together with a power of ten, as tonnes for pounds.
    """
    times = ratio(price, reference)
    power = int(_DIGITS.log10(times).to_integral_value(ROUND_HALF_EVEN))
    if power >= 1 and ratio(times, _ONE.scaleb(power)) <= _POWER_TOLERANCE:
        return f"10^{power if price > reference else -power}"
    inverse = ratio(_DIGITS.multiply(price, reference), _ONE)
    if times > _TOLERANCE and inverse <= (_POWER_TOLERANCE if times >= _FAR else _TOLERANCE):
        return "1/x"
    return next((name for name, multiple in _MULTIPLES.items() if _is_near(times, multiple)), None)


def _is_near(times: Decimal, multiple: Decimal) -> bool:
    if ratio(times, multiple) <= (_FAR_TOLERANCE if multiple >= _FAR else _TOLERANCE):
        return True
    power = int(_DIGITS.log10(_DIGITS.divide(times, multiple)).to_integral_value(ROUND_HALF_EVEN))
    return power >= 1 and ratio(times, multiple.scaleb(power)) <= _TOLERANCE
