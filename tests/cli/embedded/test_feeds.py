"""Which feeds the embedded profile offers, against the real market and aggregator."""

import urllib.error
from pathlib import Path

import orjson
import pytest

from cli.embedded import feeds, profile
from meshkit.configuration.checks import rounds
from meshkit.configuration.load import load
from tests.bench.process import LOAD_CORE, SERVER_CORE, fetch, serving
from tests.mesh.running import free_port_offset, wait_until


def test_list_is_split_at_commas() -> None:
    """Feed names are separated by commas; spaces around them do not count, spaces inside do."""
    assert feeds.parse(" BTC / USD ,ETH / USD,") == ("BTC / USD", "ETH / USD")


def test_common_feeds_ask_three_exchanges() -> None:
    """Further sources are asked only when a feed or a leg of it has too few others."""
    common = feeds.sources(("BTC / USD", "1INCH / ETH"))

    assert ("binance", "kraken", "coinbase") == common
    assert (*common, "yahoofinance") == feeds.sources(("BTC / USD", "MS / USD"))


def test_reference_needs_both_assets() -> None:
    """An answer is judged only where the market knows base and quote of the feed by these names."""
    assert "BTC/USD" == feeds.reference("BTC / USD")
    assert "METH/ETH" == feeds.reference("mETH / ETH")
    assert feeds.reference("FB / USD") is None


def test_all_feeds_can_be_named_at_once() -> None:
    """`all` is a list that the check takes, with the value of all coins, which CoinGecko alone has."""
    every = feeds.parse("all")
    feeds.check(every)

    assert len(every) >= 260
    assert "Total Marketcap / USD" in every
    assert (*feeds.SOURCES, "coingecko") == feeds.sources(["Total Marketcap / USD"])


def test_all_feeds_have_as_many_sources_as_a_start_demands(run_dir: Path) -> None:
    """A mesh of `all`, and one of each feed alone, is not refused for feeds without rounds."""
    names = feeds.parse("all")
    for chosen in (names, *([name] for name in names if "INR" in name or "SEK" in name or "BTC" in name)):
        config = profile.write(run_dir / "data", run_dir / "run", 5, chosen, 0)
        assert [] == list(rounds.problems(load(config).solution))


@pytest.mark.timeout(120)
def test_all_feeds_have_a_price(run_dir: Path) -> None:
    """The aggregator of the profile answers a node's request for each feed of `all` from the simulated market."""
    names, offset = feeds.parse("all"), free_port_offset()
    config = profile.write(run_dir / "data", run_dir / "run", 5, names, offset)
    environment = {"FEEDMESH_CONFIG": str(config), "FEEDMESH_RUN_DIR": str(run_dir)}
    market, aggregator = 8600 + offset, 3000 + offset
    missing = set(names)

    with (
        serving("devkit.market", "--port", str(market), port=market, core=LOAD_CORE, path="/healthz"),
        serving(
            "services.aggregator", port=aggregator, core=SERVER_CORE, environment=environment, path="/health"
        ) as server,
    ):

        def all_priced() -> bool:
            for name in sorted(missing):
                try:
                    fetch(f"{server.url}/quotes/batch", orjson.dumps({"data": {"feed": name}}))
                except urllib.error.HTTPError:
                    return False
                missing.discard(name)
            return True

        try:
            wait_until("a price of every feed", all_priced, 60)
        except AssertionError as error:
            raise AssertionError(f"{error}; missing: {sorted(missing)}") from None
