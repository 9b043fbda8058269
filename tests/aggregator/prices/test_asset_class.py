import pytest

from meshkit import feeds
from services.aggregator.prices.asset_class import AssetClass, asset_class
from services.aggregator.prices.pair import Pair


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        (Pair("USDT", "USD"), AssetClass.STABLECOINS),
        (Pair("usdc", "usdt"), AssetClass.STABLECOINS),
        (Pair("BTC", "USD"), AssetClass.MAJORS),
        (Pair("BTC", "USDT"), AssetClass.MAJORS),
        (Pair("ETH", "BTC"), AssetClass.MAJORS),
        (Pair("EUR", "USD"), AssetClass.MAJORS),
        (Pair("USDT", "ETH"), AssetClass.OTHERS),
        (Pair("1INCH", "USD"), AssetClass.OTHERS),
        (Pair("LINK", "ETH"), AssetClass.OTHERS),
        (Pair("AAPL", "USD"), AssetClass.OTHERS),
    ],
)
def test_the_class_of_a_pair(pair: Pair, expected: AssetClass) -> None:
    """Dollar coins in money, large coins and currencies in money or each other, and all the rest."""
    assert expected is asset_class(pair)


def test_every_known_coin_worth_a_dollar_has_its_class() -> None:
    """Every known feed whose name begins with USD is one, but a bond and a coin that earns interest."""
    named = {name for name, feed in feeds.load().items() if feed.base.upper().startswith("USD") and feed.quote == "USD"}
    found = {name for name in named if asset_class(Pair(feeds.get(name).base, "USD")) is AssetClass.STABLECOINS}

    assert {"USD0++ / USD"} == named - found
