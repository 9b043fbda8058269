"""The known feeds."""

import re

import pytest

from meshkit import feeds
from meshkit.configuration.aggregator import SOURCES

# Ids of other coins that the job templates of existing deployments ask CoinGecko for.
_WRONG_COINS = {
    *("ape-3", "arbitrage-loop", "audit", "badger-badger-badger", "batcat", "borealis", "botanix-staked-bitcoin"),
    *("bridged-maga-wormhole", "catwifmask", "copiosa", "darkcrypto-share", "energi-dollar", "gamem-token", "high"),
    *("krown", "machina", "neiro", "one-play", "plearn", "slp", "sperax-usd", "theo-short-duration-us-treasury-fund"),
    *("usd1", "win-2", "zara-ai"),
}


def test_names_are_the_pair() -> None:
    """Every feed's name is base, slash and quote."""
    for name, feed in feeds.load().items():
        assert name == f"{feed.base} / {feed.quote}"


def test_no_feed_of_a_deployment_is_missing() -> None:
    """The 260 feeds of the templates and the two that their file names lost are there, each in its kind."""
    kinds = [feed.kind for feed in feeds.load().values()]

    assert (262, 53, 1) == (len(kinds), kinds.count("cross"), kinds.count("market_cap"))


def test_names_that_look_alike_are_feeds_of_their_own() -> None:
    """Neither case nor symbols are folded."""
    names = ("USDe / USD", "USDE / USD", "USD0 / USD", "USD0++ / USD", "RETH / ETH", "rETH / ETH Exchange Rate")

    assert list(names) == [feeds.get(name).name for name in names]


def test_no_pair_is_that_of_another_coin() -> None:
    """No feed and no leg asks CoinGecko for a coin that only shares the ticker."""
    asked = [feed.sources for feed in feeds.load().values()] + list(feeds.legs().values())
    ids = {sources["coingecko"][0] for sources in asked if "coingecko" in sources}

    assert set() == ids & _WRONG_COINS
    assert ("bitcoin", "USD") == feeds.get("BTC / USD").sources["coingecko"]


def test_currencies_are_not_priced_by_tokens() -> None:
    """A state's money is asked of sources that know currencies."""
    fiat = [feed for feed in feeds.load().values() if "frankfurter" in feed.sources]

    assert len(fiat) > 15
    assert [] == [feed.name for feed in fiat if "coingecko" in feed.sources]


def test_the_templates_wrong_feeds_are_all_noted() -> None:
    """Each feed whose template had an evident error says what was changed."""
    text = (
        "APE / ETH,APE / USD,ARB / USD,AUD / USD,BADGER / ETH,BADGER / USD,BAL / ETH,BAL / USD,BRL / USD,BTC / BNB,"
        "BTC / ETH,BTC / USD,COP / USD,EIGEN / USD,FB / USD,FXS / USD,GMT / USD,HIGH / USD,KRW / USD,LINK / MATIC,"
        "MASK / USD,MKR / ETH,MXN / USD,NEIRO / USD,OP / USD,PLN / USD,SKY / USD,SLP / USD,SPELL / USD,STETH / ETH,"
        "THB / USD,TRUMP / USD,TRX / USD,USD1 / USD,USDE / USD,USDS / USD,WIN / USD,ZAR / USD,stBTC / BTC Exchange Rate"
    )

    names = text.split(",")

    # 38 price another coin, venue or asset than they say, or upside down; FB asks for the shares' later name.
    assert 38 + 1 == len(set(names))
    assert [] == [name for name in names if not feeds.get(name).corrections]


def test_corrections_are_in_force() -> None:
    """What a direct feed's correction says is what the feed asks, and every correction gives a reason."""
    for feed in feeds.load().values():
        for correction in feed.corrections:
            assert len(correction.reason) > 10
            if feed.kind == "direct":
                assert correction.now == feed.sources.get(correction.source), feed.name


def test_every_direct_feed_has_a_source_we_know() -> None:
    """Nothing is listed that nothing prices, and no source that no configuration could name."""
    for feed in feeds.load().values():
        assert (feed.kind == "direct") == bool(feed.sources), feed.name
        assert set(feed.sources) <= set(SOURCES), feed.name


def test_legs_of_cross_feeds_have_sources() -> None:
    """Numerator and denominator are the pairs of direct feeds, or legs with sources of their own, in one quote."""
    direct = {(feed.base, feed.quote) for feed in feeds.load().values() if feed.kind == "direct"}
    for feed in feeds.load().values():
        assert (feed.kind == "cross") == (feed.cross is not None), feed.name
        if feed.cross is not None:
            assert feed.cross[0][1] == feed.cross[1][1], feed.name
            assert set(feed.cross) <= direct | set(feeds.legs()), feed.name
    assert set() == direct & set(feeds.legs())


def test_no_leg_is_inverted() -> None:
    """A cross feed's numerator is its base; the denominator its quote, or what MATIC was renamed to."""
    for feed in feeds.load().values():
        if feed.cross is not None:
            numerator, denominator = feed.cross
            assert feed.base == numerator[0]
            assert re.sub("^MATIC.*", "POL", feed.quote) == denominator[0]


def test_a_feed_without_figures_has_the_defaults() -> None:
    """An unknown heartbeat is 24 hours, an unknown deviation half a percent."""
    feed = feeds.get("AAVE / ETH")

    assert (86_400_000, 5_000_000) == (feed.heartbeat_ms, feed.deviation_ppb)


@pytest.mark.parametrize("name", ["btc / usd", "BTC/USD"])
def test_names_are_never_folded(name: str) -> None:
    """A name that is nearly right is unknown, and the right one is suggested."""
    with pytest.raises(feeds.UnknownFeed, match="did you mean 'BTC / USD'"):
        feeds.get(name)
