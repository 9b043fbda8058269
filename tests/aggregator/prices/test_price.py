from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.prices.price import plain_text, read_decimal

PRICES = st.decimals(min_value=Decimal("1E-18"), max_value=Decimal("1E15"), allow_nan=False, allow_infinity=False)


@given(PRICES)
def test_text_keeps_the_number(price: Decimal) -> None:
    """A price written as text and read again is the same number."""
    assert price == read_decimal_long(plain_text(price))


def read_decimal_long(text: str) -> Decimal:
    """Read without the limit on length, which holds for what sources send."""
    return Decimal(text)


@given(PRICES)
def test_text_is_plain(price: Decimal) -> None:
    """No exponent, no sign, no zeros at the end of a fraction."""
    text = plain_text(price)

    assert set(text) <= set("0123456789.")
    assert "." not in text or text[-1] not in "0."


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1E-7", "0.0000001"), ("1.2E+5", "120000"), ("113393.43000000", "113393.43"), ("100", "100")],
)
def test_examples(text: str, expected: str) -> None:
    """Exponents are written out and zeros that say nothing are dropped, others not."""
    assert expected == plain_text(read_decimal(text))


@pytest.mark.parametrize("text", ["", "abc", "1,5", "1_000", "0x10", "١٢", "1" * 65, "1.2.3"])
def test_other_texts_are_no_numbers(text: str) -> None:
    """What Decimal takes beyond plain decimal text, or what is too long, is a ValueError."""
    with pytest.raises(ValueError, match="not a decimal number"):
        read_decimal(text)
