"""What the aggregator takes from the configuration, with its rules already applied."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from meshkit import feeds
from meshkit.configuration.aggregator import Source, SourceName
from meshkit.configuration.mesh import Aggregation
from meshkit.configuration.model import set_without_effect
from meshkit.configuration.solution import Configuration
from meshkit.log import get_logger
from services.aggregator.prices.pair import Pair
from services.aggregator.sources.catalog import DECLARATIONS
from services.aggregator.streams.settings import StreamConfig, read_stream

log = get_logger(__name__)

# Jobs observe for 10 s at most. An answer that comes later than this is lost, whatever the configuration says.
LONGEST_WAIT_MS = 9_000
# Two sources that agree are the least that can show a wrong one; a feed with a single source has to trust it.
MINIMUM_SOURCES = 2
# Beside the configured feeds: 260 known feeds with up to 13 sources, and room for as many typing errors again.
MOST_PAIRS = 5_000


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """
    Configure one source.

    Attributes:
        base_url: Address of its API; None for the source's own.
        stale_trigger_ms: How long before expiry a refresh begins; shortened to half the time to live where needed.
        refetch: Whether pairs that were only requested, not configured as feeds, are refreshed too.
        max_batch: How many pairs one call may carry, at most what the source declares.
        api_key: Our key, if we have one.
        proxy: The HTTP proxy it is reached through, a URL; None to reach it directly.
        rps: Calls a second; None for no bound.
        max_retries: How often a call is repeated after a fault.
        weight: How much the source counts in a median.
        max_age_ms: How old a price may be by the exchange's clock; None for what the source declares.
        stream: Its WebSocket; None where there is to be none.
    """

    name: str
    enabled: bool = True
    base_url: str | None = None
    ttl_ms: int = 5_000
    timeout_ms: int = 10_000
    max_concurrent: int = 10
    refetch: bool = True
    stale_trigger_ms: int = 3_000
    max_batch: int = 1_000
    api_key: str | None = field(default=None, repr=False)
    proxy: str | None = field(default=None, repr=False)
    rps: Fraction | None = None
    max_retries: int = 3
    weight: Decimal = Decimal(1)
    max_age_ms: int | None = None
    stream: StreamConfig | None = None


@dataclass(frozen=True, slots=True)
class PairTtl:
    """Override the time to live of a pair, of one source or of all (None)."""

    pair: Pair
    source: str | None
    ttl_ms: int


@dataclass(frozen=True, slots=True)
class AggregatorConfig:
    """
    Configure the service.

    Attributes:
        feeds: The pairs of all known feeds, each with the pair every source prices it by.
        crosses: The pairs of feeds that are the quotient of two others, numerator first.
        pinned: The pairs of the configured feeds, kept fresh from the start and never removed.
        request_timeout_ms: How long a caller waits at most.
        minimum_sources: How many fresh sources a price needs, fewer only where fewer are mapped.
        refetch: Whether pairs are refreshed before they expire.
        retries: Whether a pair whose refresh failed is tried again before it is asked for.
        most_failures: After so many failures in a row it is not.
        longest_retry_ms: The longest time between two tries.
        inactive_timeout_ms: How long an unpinned pair may go unasked; None to keep it for ever.
        pairs_file: Pairs to register at the start.
        outlier_floor_bps: A source this near to the median is never left out.
        outlier_factor: How many standard deviations from the median a source may be.
        max_spread_bps: How far apart the sources of a price may be; None for any distance.
        jump_guard_bps: How far a source's price may be from its last one; None for any distance.
        jump_confirmations: How many agreeing prices confirm a jump.
        converts_stablecoins: Whether prices in stablecoins are converted by the coins' own prices.
    """

    sources: Mapping[str, SourceConfig]
    feeds: Mapping[Pair, Mapping[str, Pair]]
    pinned: tuple[Pair, ...] = ()
    http_port: int = 3000
    log_level: str = "info"
    request_timeout_ms: int = LONGEST_WAIT_MS
    minimum_sources: int = MINIMUM_SOURCES
    refetch: bool = True
    retries: bool = True
    most_failures: int = 50
    longest_retry_ms: int = 5_000
    inactive_timeout_ms: int | None = 7_200_000
    cleanup_interval_ms: int = 300_000
    most_pairs: int = MOST_PAIRS
    pair_ttls: tuple[PairTtl, ...] = field(default=())
    crosses: Mapping[Pair, tuple[Pair, Pair]] = field(default_factory=dict)
    pairs_file: Path | None = None
    outlier_floor_bps: int = 200
    outlier_factor: Decimal = Decimal(3)
    max_spread_bps: int | None = 1_000
    jump_guard_bps: int | None = 1_000
    jump_confirmations: int = 3
    converts_stablecoins: bool = False

    def ttl_ms(self, source: str, pair: Pair) -> int:
        """Return the time to live of a pair: the first override that fits, else the source's own."""
        for override in self.pair_ttls:
            if override.source in (None, source) and override.pair.upper() == pair.upper():
                return override.ttl_ms
        return self.sources[source].ttl_ms


def read(configuration: Configuration) -> AggregatorConfig:
    """Return the aggregator's view of a configuration; raises UnknownFeed for a feed that is not known."""
    given = configuration.solution.price_aggregator_config
    rules = configuration.solution.mesh.aggregator
    if vain := dict(set_without_effect(given, "solution.priceAggregatorConfig")):
        log.warning("settings_without_effect", settings=vain)
    # The market's capitalisation is no pair: /market-data/global answers it.
    priced = {(feed.base, feed.quote): feed.sources for feed in feeds.load().values() if feed.kind != "market_cap"}
    known = {
        Pair(*canonical): {source: Pair(*spelled) for source, spelled in sources.items()}
        for canonical, sources in {**feeds.legs(), **priced}.items()
    }
    crosses = {
        Pair(feed.base, feed.quote): (Pair(*feed.cross[0]), Pair(*feed.cross[1]))
        for feed in feeds.load().values()
        if feed.cross is not None
    }
    pinned = [feeds.get(name) for name in configuration.solution.mesh.feeds]
    return AggregatorConfig(
        sources={
            name: _source(name, source, given.refetch.stale_trigger_before_expiry, given.proxy, rules)
            for name, source in given.sources.items()
        },
        feeds=known,
        pinned=tuple(Pair(feed.base, feed.quote) for feed in pinned if feed.kind != "market_cap"),
        http_port=given.port,
        log_level={"warn": "warning", "verbose": "debug"}.get(given.logger.level, given.logger.level),
        request_timeout_ms=min(given.quotes.request_timeout_ms, LONGEST_WAIT_MS),
        refetch=given.refetch.enabled,
        retries=given.refetch.failed_pairs_retry.enabled,
        most_failures=given.refetch.failed_pairs_retry.max_attempts,
        longest_retry_ms=given.refetch.failed_pairs_retry.retry_delay,
        inactive_timeout_ms=given.pair_cleanup.inactive_timeout_ms if given.pair_cleanup.enabled else None,
        cleanup_interval_ms=given.pair_cleanup.cleanup_interval_ms,
        pair_ttls=tuple(PairTtl(Pair(*entry.pair), entry.source, entry.ttl) for entry in given.pairs_ttl),
        crosses=crosses,
        pairs_file=None if given.pairs_file_path is None else Path(given.pairs_file_path),
        minimum_sources=rules.minimum_sources,
        outlier_floor_bps=rules.outlier_deviation_bps,
        outlier_factor=Decimal(str(rules.outlier_mad_factor)),
        max_spread_bps=rules.max_spread_bps,
        jump_guard_bps=rules.jump_guard_bps,
        jump_confirmations=rules.jump_confirmations,
        converts_stablecoins=rules.stablecoins == "converted",
    )


def _source(
    name: SourceName, given: Source, stale_trigger_ms: int, proxy: str | None, rules: Aggregation
) -> SourceConfig:
    lacks_proxy = given.enabled and given.use_proxy is True and proxy is None
    if lacks_proxy:
        log.warning(
            "source_off", source=name, reason="its useProxy asks for priceAggregatorConfig.proxy, which is not set"
        )
    declared = DECLARATIONS[name]
    return SourceConfig(
        name=name,
        enabled=given.enabled and not lacks_proxy,
        base_url=given.base_url,
        ttl_ms=given.ttl,
        timeout_ms=given.timeout_ms,
        max_concurrent=given.max_concurrent,
        refetch=given.refetch,
        stale_trigger_ms=given.stale_trigger_before_expiry or stale_trigger_ms,
        max_batch=given.max_batch_size or declared.max_batch,
        api_key=given.api_key.get_secret_value() if given.api_key is not None else None,
        proxy=proxy if given.use_proxy is True else given.use_proxy or None,
        rps=_rps(given.rps) if "rps" in given.model_fields_set else declared.rps,
        max_retries=given.max_retries,
        weight=Decimal(str(rules.weights.get(name, rules.copy_weight if declared.is_aggregate else 1))),
        max_age_ms=rules.max_age_ms.get(name),
        stream=read_stream(given, proxy),
    )


def _rps(given: float | None) -> Fraction | None:
    """Return the exact rate that was written: 2.8 is 14/5, not the binary number next to it; null is no bound."""
    return None if given is None else Fraction(str(given))
