import pytest

from meshkit.errors import InvalidInput
from services.aggregator.prices.errors import UnknownPair
from services.aggregator.prices.feeds import FeedMap
from services.aggregator.prices.pair import Pair
from tests.aggregator.fakes import BTC

UPPER, MIXED = Pair("USDE", "USD"), Pair("USDe", "USD")
FEEDS = FeedMap(
    {BTC: {"binance": Pair("BTC", "USDT"), "okx": BTC, "kraken": BTC}, UPPER: {"kraken": UPPER}, MIXED: {}},
    {"binance": Pair.upper, "kraken": Pair.upper},
)


def test_names_that_differ_by_case_are_different_feeds() -> None:
    """An exact name wins, an ambiguous one is refused with the candidates."""
    assert (UPPER, MIXED) == (FEEDS.resolve(UPPER), FEEDS.resolve(MIXED))
    with pytest.raises(InvalidInput, match="USDE/USD, USDe/USD"):
        FEEDS.resolve(Pair("usde", "usd"))


def test_case_does_not_matter_where_only_one_feed_fits() -> None:
    """btc/usd is BTC/USD."""
    assert BTC == FEEDS.resolve(Pair("btc", "Usd"))


def test_an_unknown_pair_is_told() -> None:
    """No feed has it in any case."""
    with pytest.raises(UnknownPair):
        FEEDS.resolve(Pair("NOPE", "USD"))


def test_only_enabled_sources_are_mapped() -> None:
    """A source that is off does not count for the feed."""
    assert {"binance": Pair("BTC", "USDT"), "kraken": BTC} == FEEDS.sources(BTC)


def test_users_are_the_inverse_of_sources() -> None:
    """A source's pair leads back to its feed, in that source only."""
    assert ([BTC], []) == (
        list(FEEDS.users("binance", Pair("BTC", "USDT"))),
        list(FEEDS.users("kraken", Pair("BTC", "USDT"))),
    )
