import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from meshkit.configuration.solution import Configuration
from meshkit.errors import NotFound
from services.aggregator.config import LONGEST_WAIT_MS, MarketDataConfig, read, read_market_data
from services.aggregator.prices.feed_jump_guard import Limits
from services.aggregator.prices.pair import Pair

SECRETS = {
    "pgPassword": "p" * 16,
    "chainlinkPassword": "c" * 20,
    "chainlinkKeystorePassword": "k" * 20,
    "faucetPrivateKey": "0x" + "ab" * 32,
    "chainlinkEmail": "operator@example.com",
    "chainlinkChainId": 1337,
    "chainlinkRpcWsUrl": "ws://127.0.0.1:8545",
    "chainlinkRpcHttpUrl": "http://127.0.0.1:8545",
}


def configuration(
    aggregator: dict[str, Any], feeds: tuple[str, ...] = (), rules: dict[str, Any] | None = None
) -> Configuration:
    """Return a whole configuration with this aggregator."""
    mesh = {"feeds": list(feeds), "aggregator": rules or {}}
    document = {"solution": {**SECRETS, "priceAggregatorConfig": aggregator, "mesh": mesh}}
    return Configuration.model_validate_json(json.dumps(document))


def test_the_settings_of_a_deployment_are_read() -> None:
    """Every key that this service uses arrives where it is used."""
    config = read(
        configuration(
            {
                "port": 3456,
                "logger": {"level": "warn"},
                "quotes": {"requestTimeoutMs": 2000},
                "refetch": {"enabled": False, "staleTriggerBeforeExpiry": 700},
                "pairCleanup": {"inactiveTimeoutMs": 11_000, "cleanupIntervalMs": 1_500},
                "pairsTtl": [
                    {"pair": ["BTC", "USDT"], "source": "binance", "ttl": 1500},
                    {"pair": ["X", "Y"], "ttl": 2000},
                ],
                "sources": {
                    "binance": {
                        "ttl": 9_000,
                        "timeoutMs": 1_200,
                        "maxConcurrent": 2,
                        "baseUrl": "http://127.0.0.1:1/b",
                    },
                    "kraken": {"enabled": False, "staleTriggerBeforeExpiry": 300, "refetch": True},
                },
            },
            ("BTC / USD",),
        )
    )
    binance, kraken = config.sources["binance"], config.sources["kraken"]

    assert (3456, "warning", 2000, False) == (
        config.http_port,
        config.log_level,
        config.request_timeout_ms,
        config.refetch,
    )
    assert (11_000, 1_500) == (config.inactive_timeout_ms, config.cleanup_interval_ms)
    assert ("http://127.0.0.1:1/b", 1_200, 2, 400, 700) == (
        binance.base_url,
        binance.timeout_ms,
        binance.max_concurrent,
        binance.max_batch,
        binance.stale_trigger_ms,
    )
    assert (False, 300, 50) == (kraken.enabled, kraken.stale_trigger_ms, kraken.max_batch)
    assert (1_500, 9_000, 2_000, 5_000) == (
        config.ttl_ms("binance", Pair("BTC", "USDT")),
        config.ttl_ms("binance", Pair("ETH", "USDT")),
        config.ttl_ms("kraken", Pair("X", "Y")),
        config.ttl_ms("kraken", Pair("BTC", "USDT")),
    )
    assert (Pair("BTC", "USD"),) == config.pinned
    assert Pair("BTC", "USDT") == config.feeds[Pair("BTC", "USD")]["binance"]


def test_a_caller_never_waits_as_long_as_a_job() -> None:
    """The default of 10 s, which equals the jobs' timeout, is cut."""
    assert LONGEST_WAIT_MS == read(configuration({})).request_timeout_ms


def test_clean_up_can_be_off() -> None:
    """Pairs are then kept for ever."""
    assert read(configuration({"pairCleanup": {"enabled": False}})).inactive_timeout_ms is None


def test_rates_are_exact_and_null_is_no_bound() -> None:
    """2.8 is 14/5, not the binary number next to it; without a value, the source's default holds."""
    sources = read(
        configuration(
            {"sources": {"coinbase": {"rps": 2.8}, "kraken": {"rps": None}, "okx": {}, "bybit": {"rps": 1e-4}}}
        )
    ).sources

    assert [Fraction(14, 5), None, Fraction(10), Fraction(1, 10_000)] == [
        sources[name].rps for name in ("coinbase", "kraken", "okx", "bybit")
    ]


def test_the_rules_of_the_mesh_are_read() -> None:
    """Every key of solution.mesh.aggregator arrives, by source where it is one for each source."""
    config = read(
        configuration(
            {"sources": {"coingecko": {"maxRetries": 1}, "kraken": {}}, "pairsFilePath": "/x/pairs.json"},
            rules={
                "minimumSources": 3,
                "outlierDeviationBps": 50,
                "outlierMadFactor": 2.5,
                "maxSpreadBps": None,
                "olderYieldsMs": 30_000,
                "jumpGuardBps": 700,
                "singleSourceMoveBps": {"majors": 20},
                "moveHoldMs": 90_000,
                "firstPriceHoldMs": 500,
                "referenceWaitMs": 250,
                "referencePrices": {"NVDA / USD": "121.4"},
                "assetClasses": {"GHO / USD": "others"},
                "maxAgeMs": {"coingecko": 120_000},
                "weights": {"coingecko": 0.1},
                "stablecoins": "mapped",
                "stablecoinDeviationBps": 30,
            },
        )
    )
    coingecko, kraken = config.sources["coingecko"], config.sources["kraken"]

    assert (3, 50, Decimal("2.5"), None) == (
        config.minimum_sources,
        config.outlier_floor_bps,
        config.outlier_factor,
        config.max_spread_bps,
    )
    assert (30_000, 250, False, 30, Path("/x/pairs.json")) == (
        config.older_yields_ms,
        config.reference_wait_ms,
        config.converts_stablecoins,
        config.stablecoin_deviation_bps,
        config.pairs_file,
    )
    assert {Pair("NVDA", "USD"): Decimal("121.4")} == config.reference_prices
    assert Limits(guard_bps=700, rate_bps=20, move_hold_s=90.0, first_hold_s=0.5) == config.limits(Pair("BTC", "USD"))
    assert [50, 500] == [config.limits(Pair(coin, "USD")).rate_bps for coin in ("USDC", "GHO")]
    assert (Decimal("0.1"), 120_000, 1) == (coingecko.weight, coingecko.max_age_ms, coingecko.max_retries)
    assert (Decimal(1), None, 3) == (kraken.weight, kraken.max_age_ms, kraken.max_retries)


def test_bounds_go_by_the_class_of_the_asset() -> None:
    """Each bound has its own number for dollar coins, for large coins and currencies, and for the rest."""
    config = read(configuration({}))
    pairs = [Pair("USDT", "USD"), Pair("BTC", "USD"), Pair("LINK", "USD")]

    assert [50, 200, 500] == [config.spread_bps(pair) for pair in pairs]
    assert [100, 500, 1_000] == [config.limits(pair).guard_bps for pair in pairs]
    assert [50, 200, 500] == [config.limits(pair).rate_bps for pair in pairs]


def test_one_number_is_a_bound_for_all_classes_and_a_part_leaves_the_others() -> None:
    """So an older file goes on to be read as it was meant."""
    pairs = [Pair("USDT", "USD"), Pair("BTC", "USD"), Pair("LINK", "USD")]
    one, part = (read(configuration({}, rules={"maxSpreadBps": given})) for given in (300, {"majors": 80}))

    assert [300, 300, 300] == [one.spread_bps(pair) for pair in pairs]
    assert [50, 80, 500] == [part.spread_bps(pair) for pair in pairs]


@pytest.mark.parametrize(
    "rules", [{"referencePrices": {"NVDIA / USD": "1"}}, {"assetClasses": {"NVDIA / USD": "others"}}]
)
def test_a_rule_for_an_unknown_feed_is_refused(rules: dict[str, Any]) -> None:
    """The error suggests the nearest name."""
    with pytest.raises(NotFound, match="NVDA / USD"):
        read(configuration({}, rules=rules))


def test_confirmations_have_no_effect_any_more() -> None:
    """A file that sets them is read as if it did not."""
    assert read(configuration({})) == read(configuration({}, rules={"jumpConfirmations": 5}))


def test_copies_of_others_weigh_less_unless_told() -> None:
    """What a source declares decides its weight, then the setting for all copies, then its own weight."""
    names: dict[str, Any] = {name: {"apiKey": "key"} for name in ("coingecko", "cryptocompare", "finnhub", "kraken")}

    def weights(rules: dict[str, Any]) -> dict[str, Decimal]:
        sources = read(configuration({"sources": names}, rules=rules)).sources
        return {name: source.weight for name, source in sources.items()}

    copies = ("coingecko", "cryptocompare", "finnhub")
    assert dict.fromkeys(copies, Decimal("0.6")) | {"kraken": Decimal(1)} == weights({})
    assert dict.fromkeys(copies, Decimal("0.2")) | {"kraken": Decimal(2), "finnhub": Decimal(1)} == weights(
        {"copyWeight": 0.2, "weights": {"kraken": 2, "finnhub": 1}}
    )


def test_a_pairs_time_to_live_holds_in_any_spelling() -> None:
    """An override for bitcoin/usd is one for bitcoin/USD, which is the same pair to its source."""
    config = read(
        configuration({"sources": {"coingecko": {}}, "pairsTtl": [{"pair": ["bitcoin", "usd"], "ttl": 1500}]})
    )

    assert 1_500 == config.ttl_ms("coingecko", Pair("bitcoin", "USD"))


def test_cross_feeds_have_legs_that_are_priced() -> None:
    """Each leg of every cross feed is a pair with sources of its own."""
    config = read(configuration({}))

    assert config.crosses
    assert all(config.feeds[leg] for legs in config.crosses.values() for leg in legs)


def test_settings_are_those_of_coingecko() -> None:
    """Address and key come from the source's settings, the interval from marketData."""
    given = {
        "proxy": "http://proxy.example:3128",
        "sources": {"coingecko": {"baseUrl": "http://127.0.0.1:1/coingecko", "apiKey": "k", "timeoutMs": 3000}},
        "marketData": {"coingeckoGlobal": {"refreshIntervalMs": 20_000, "useProxy": True}},
    }
    expected = MarketDataConfig(True, 20_000, "http://127.0.0.1:1/coingecko", 3_000, "k", "http://proxy.example:3128")

    assert expected == read_market_data(configuration(given))


def test_nobody_is_asked_whom_the_configuration_does_not_name() -> None:
    """Without a source CoinGecko the figures are off, so that a mesh on simulated sources asks nobody outside."""
    assert not read_market_data(configuration({"sources": {"binance": {}}})).enabled
    assert read_market_data(configuration({"sources": {"coingecko": {"enabled": False}}})).enabled
