import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from meshkit.configuration.solution import Configuration
from services.aggregator.config import LONGEST_WAIT_MS, read
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
                "jumpGuardBps": 700,
                "jumpConfirmations": 5,
                "maxAgeMs": {"coingecko": 120_000},
                "weights": {"coingecko": 0.1},
                "stablecoins": "converted",
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
    assert (700, 5, True, Path("/x/pairs.json")) == (
        config.jump_guard_bps,
        config.jump_confirmations,
        config.converts_stablecoins,
        config.pairs_file,
    )
    assert (Decimal("0.1"), 120_000, 1) == (coingecko.weight, coingecko.max_age_ms, coingecko.max_retries)
    assert (Decimal(1), None, 3) == (kraken.weight, kraken.max_age_ms, kraken.max_retries)


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
