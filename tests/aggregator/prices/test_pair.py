import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.errors import InvalidInput
from services.aggregator.prices.pair import Pair, pair_of, parse_pair

ASSETS = st.from_regex(r"[A-Za-z0-9+._$]{1,50}", fullmatch=True)


@given(ASSETS, ASSETS, st.sampled_from(["-", "/", " / "]))
def test_every_spelling_of_a_pair_is_read(base: str, quote: str, separator: str) -> None:
    """A dash, a slash and a feed name's spaced slash all separate base from quote, without changing their case."""
    assert Pair(base, quote) == parse_pair(f"{base}{separator}{quote}", "pairs")


def test_an_asset_may_contain_a_dash_beside_a_slash() -> None:
    """Only where a slash separates, a dash belongs to the asset."""
    assert Pair("usd-coin", "USD") == parse_pair("usd-coin/USD", "pairs")


@pytest.mark.parametrize(
    "text",
    ["", "BTC", "BTC-", "-USD", "BTC-USD-EUR", "BTC/USD/EUR", "B TC-USD", "BTC/U,SD", "BTC-" + "U" * 51, "BTC/€"],
)
def test_a_malformed_pair_is_refused_by_its_text(text: str) -> None:
    """The error names the field and shows what was found."""
    with pytest.raises(InvalidInput) as caught:
        parse_pair(text, "pairs")

    assert ("pairs", text) == (caught.value.field, caught.value.found)


def test_a_bad_asset_is_named() -> None:
    """The error of separate assets tells which of the two is bad."""
    with pytest.raises(InvalidInput, match=r"pair\.quote"):
        pair_of("BTC", "../USD", "pair")
