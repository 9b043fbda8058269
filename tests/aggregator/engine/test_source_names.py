import pytest

from services.aggregator.config import AggregatorConfig
from services.aggregator.engine.source_names import SourceNames
from services.aggregator.prices.errors import SourceDisabled, UnknownSource
from services.aggregator.prices.pair import Pair
from services.aggregator.sources.settings import SourceConfig

CONFIG = AggregatorConfig({name: SourceConfig(name) for name in ("kraken", "exchangeratehost", "new")}, {})
NAMES = SourceNames(CONFIG, {"kraken": Pair.upper, "okx": lambda pair: pair})


def test_configured_sources_are_known_by_the_names_of_their_routes() -> None:
    """Also those that are not asked, and those that this version does not have."""
    assert ["exchangerate-host", "kraken", "new", "okx"] == NAMES.known
    assert {"kraken", "okx"} == set(NAMES.enabled)


def test_each_source_spells_pairs_in_its_own_way() -> None:
    """Its one spelling of those that are the same there."""
    assert (Pair("BTC", "USD"), Pair("btc", "usd")) == (
        NAMES.fold("kraken", Pair("btc", "usd")),
        NAMES.fold("okx", Pair("btc", "usd")),
    )


def test_unknown_and_disabled_names_are_told_apart() -> None:
    """An unknown one with those there are."""
    NAMES.require_known("new")
    NAMES.require_enabled("kraken")
    with pytest.raises(SourceDisabled):
        NAMES.require_enabled("exchangerate-host")
    for check in (NAMES.require_known, NAMES.require_enabled):
        with pytest.raises(UnknownSource, match="there are: exchangerate-host, kraken, new, okx"):
            check("exchangeratehost")
