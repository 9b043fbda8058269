"""Prices as exact decimals, and their text in plain notation."""

from decimal import Decimal, InvalidOperation

# A longer text is no price, and an exponent such as 1E+999999 would become a megabyte in plain notation.
LONGEST_TEXT = 64
SMALLEST = Decimal("1E-18")
LARGEST = Decimal("1E15")


def read_decimal(text: str) -> Decimal:
    """Return the exact number of a decimal text; raise ValueError for other texts and for those over 64 characters."""
    if len(text) > LONGEST_TEXT or not text.isascii() or "_" in text:
        raise ValueError(f"not a decimal number: {text[:LONGEST_TEXT]!r}")
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise ValueError(f"not a decimal number: {text!r}") from error


def plain_text(number: Decimal) -> str:
    """Return a finite number's text without exponent and without zeros at the end of its fraction."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
