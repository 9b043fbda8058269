"""The known feeds."""

import pytest

from meshkit import feeds


def test_names_are_the_pair() -> None:
    """Every feed's name is base, slash and quote, and no two names are equal."""
    for name, feed in feeds.load().items():
        assert name == f"{feed.base} / {feed.quote}"


def test_pairs_known_to_be_wrong_are_absent() -> None:
    """BTC / USD is not priced by another asset of the same ticker."""
    assert "coingecko" not in feeds.get("BTC / USD").sources


def test_every_feed_has_a_source() -> None:
    """No feed is listed that nothing prices."""
    assert [name for name, feed in feeds.load().items() if not feed.sources] == []


def test_names_are_never_folded() -> None:
    """Names that differ by case only are different feeds."""
    with pytest.raises(feeds.UnknownFeed, match="did you mean"):
        feeds.get("btc / usd")
