from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.prices.pair import Pair
from services.aggregator.streams.catalog import DIALECTS
from services.aggregator.streams.symbols import symbol_of


@dataclass
class Listed:
    """A listing of a few pairs."""

    names: dict[Pair, str] = field(default_factory=dict)
    is_known: bool = True

    def symbol(self, pair: Pair) -> str | None:
        return self.names.get(pair.upper())

    def halt(self, _pair: Pair) -> str:
        return ""

    def tell(self, _pair: Pair, _status: str) -> None:
        raise AssertionError

    def tell_all(self, _status: str) -> None:
        raise AssertionError


@pytest.mark.parametrize("name", ["binance", "bybit", "finnhub"])
@pytest.mark.parametrize("markets", [None, Listed(is_known=False)])
def test_a_name_without_a_separator_is_one_pair(name: str, markets: Listed | None) -> None:
    """Without a listing the pair counts whose quote is one that the provider has; no other division has the price."""
    dialect = DIALECTS[name]

    assert dialect.symbol(Pair("BTC", "USDT")) == symbol_of(Pair("BTC", "USDT"), dialect, markets)
    assert dialect.symbol(Pair("BTC", "USDT")) == symbol_of(Pair("btc", "usdt"), dialect, markets)
    for divided in (Pair("BTCU", "SDT"), Pair("B", "TCUSDT"), Pair("BT", "CUSDT"), Pair("BTCUSD", "T")):
        assert symbol_of(divided, dialect, markets) is None


def test_a_name_that_may_be_two_pairs_is_none() -> None:
    """BTCTUSD may be BTC/TUSD or BTCT/USD, so neither is asked for until the listing says which."""
    for pair in (Pair("BTC", "TUSD"), Pair("BTCT", "USD")):
        assert symbol_of(pair, DIALECTS["binance"], None) is None
    listed = Listed({Pair("BTC", "TUSD"): "BTCTUSD"})

    assert "BTCTUSD" == symbol_of(Pair("BTC", "TUSD"), DIALECTS["binance"], listed)
    assert symbol_of(Pair("BTCT", "USD"), DIALECTS["binance"], listed) is None


@pytest.mark.parametrize(
    ("name", "pair"),
    [
        ("okx", Pair("BTC", "USDT-SWAP")),
        ("okx", Pair("BTC-USDT", "SWAP")),
        ("kucoin", Pair("A-B", "USDT")),
        ("coinbase", Pair("BTC-PERP", "INTX")),
        ("cryptocompare", Pair("A", "B-USD")),
    ],
)
def test_a_dash_within_an_asset_is_no_spot_pair(name: str, pair: Pair) -> None:
    """A contract's name must not be had by dividing it elsewhere."""
    assert symbol_of(pair, DIALECTS[name], None) is None


def test_a_listing_decides() -> None:
    """The provider's own name counts where it has the pair, and without it there is nothing to stream."""
    listed = Listed({Pair("BSV", "USDT"): "BCHSV-USDT", Pair("BTC", "USD"): "XXBTZUSD"})

    assert "BCHSV-USDT" == symbol_of(Pair("BSV", "USDT"), DIALECTS["kucoin"], listed)
    assert symbol_of(Pair("NEW", "USDT"), DIALECTS["kucoin"], listed) is None
    assert "BTC/USD" == symbol_of(Pair("BTC", "USD"), DIALECTS["kraken"], listed)


ASSETS = st.text("ABTCUSDE", min_size=1, max_size=6)


@given(st.sampled_from(sorted(DIALECTS)), st.lists(st.builds(Pair, ASSETS, ASSETS), max_size=20))
def test_no_two_pairs_share_a_name(name: str, pairs: list[Pair]) -> None:
    """Whatever is registered, and without a listing, a name on the stream is at most one pair in upper case."""
    named: dict[str, set[Pair]] = {}
    for pair in pairs:
        if (symbol := symbol_of(pair, DIALECTS[name], None)) is not None:
            named.setdefault(symbol, set()).add(pair)

    assert all(len(same) == 1 for same in named.values())
