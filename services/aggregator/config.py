"""What the aggregator takes from the configuration, with its rules already applied."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from meshkit import feeds
from meshkit.configuration.aggregation import Aggregation, JumpGuard, MaxSpread, SingleSourceMove
from meshkit.configuration.model import set_without_effect
from meshkit.configuration.solution import Configuration
from meshkit.log import get_logger
from services.aggregator.egress import allowed_hosts
from services.aggregator.prices.asset_class import AssetClass, asset_class
from services.aggregator.prices.feed_jump_guard import Limits
from services.aggregator.prices.pair import Pair
from services.aggregator.sources.settings import SourceConfig, read_source
from services.aggregator.streams.settings import StreamConfig, read_stream

_log = get_logger(__name__)

# Jobs observe for 10 s at most. An answer that comes later than this is lost, whatever the configuration says.
LONGEST_WAIT_MS = 9_000
# Two sources that agree are the least that can show a wrong one; a feed with a single source has to trust it.
MINIMUM_SOURCES = 2
# Basis points by the class of the asset, or the same for all.
BpsByClass = Mapping[AssetClass, int] | int
# Beside the configured feeds: 260 known feeds with up to 13 sources, and room for as many typing errors again.
MOST_PAIRS = 5_000


@dataclass(frozen=True, slots=True)
class PairTtl:
    """Override the time to live of a pair, of one source or of all (None)."""

    pair: Pair
    source: str | None
    ttl_ms: int


@dataclass(frozen=True, slots=True)
class MarketDataConfig:
    """Say whether, where, and how often in milliseconds the figures of the whole market are asked for."""

    enabled: bool = True
    interval_ms: int = 60_000
    base_url: str | None = None
    timeout_ms: int = 10_000
    api_key: str | None = field(default=None, repr=False)
    proxy: str | None = field(default=None, repr=False)
    limits: Limits = field(default_factory=lambda: Limits(first_hold_s=0))


@dataclass(frozen=True, slots=True)
class AggregatorConfig:
    """
    Configure the service.

    Attributes:
        streams: The WebSockets there are to be, by the source's name in the configuration.
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
        outlier_floor_bps: A source this near to the price is never an outlier.
        outlier_factor: How many standard deviations from the price a source may be.
        max_spread_bps: How far apart prices that agree may be; None for any distance.
        older_yields_ms: By how much a price has to be older than the newest to yield where prices disagree.
        jump_guard_bps: How far a price may be from the last one without proof; None for any distance.
        single_source_move_bps: How far the price of a single source may move in a minute.
        move_hold_ms: How long a further move has to last that less than a majority of every kind agrees on.
        first_price_hold_ms: How long the first price has to last that nothing can be compared with.
        reference_wait_ms: How long first prices wait for the last answers on chain.
        reference_prices: Feeds' prices that are known to be right.
        asset_classes: Feeds that have another class than their assets say.
        converts_stablecoins: Whether prices in stablecoins are converted by the coins' own prices.
        stablecoin_deviation_bps: How far from one a stablecoin may be whose own price is not known.
        egress: The hosts beyond this one that sources and streams may be asked at; None for any.
    """

    sources: Mapping[str, SourceConfig]
    feeds: Mapping[Pair, Mapping[str, Pair]]
    streams: Mapping[str, StreamConfig] = field(default_factory=dict)
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
    max_spread_bps: BpsByClass | None = field(default_factory=lambda: _by_class(Aggregation().max_spread_bps))
    older_yields_ms: int = 60_000
    jump_guard_bps: BpsByClass | None = field(default_factory=lambda: _by_class(Aggregation().jump_guard_bps))
    single_source_move_bps: BpsByClass = field(
        default_factory=lambda: _by_class(Aggregation().single_source_move_bps) or 0
    )
    move_hold_ms: int = 60_000
    first_price_hold_ms: int = 2_000
    reference_wait_ms: int = 5_000
    reference_prices: Mapping[Pair, Decimal] = field(default_factory=dict)
    asset_classes: Mapping[Pair, AssetClass] = field(default_factory=dict)
    converts_stablecoins: bool = True
    stablecoin_deviation_bps: int = 100
    egress: frozenset[str] | None = None

    def spread_bps(self, pair: Pair) -> int | None:
        """Return how far apart prices of a feed's pair may be that agree; None for any distance."""
        return self._bps(self.max_spread_bps, pair)

    def limits(self, pair: Pair) -> Limits:
        """Return how the price of a feed's pair may move."""
        return Limits(
            guard_bps=self._bps(self.jump_guard_bps, pair),
            rate_bps=self._bps(self.single_source_move_bps, pair) or 0,
            move_hold_s=self.move_hold_ms / 1000,
            first_hold_s=self.first_price_hold_ms / 1000,
        )

    def _bps(self, setting: BpsByClass | None, pair: Pair) -> int | None:
        if setting is None or isinstance(setting, int):
            return setting
        return setting[self.asset_classes.get(pair) or asset_class(pair)]

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
        _log.warning("settings_without_effect", settings=vain)
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
    sources: dict[str, SourceConfig] = {
        name: read_source(name, source, given.refetch.stale_trigger_before_expiry, given.proxy, rules)
        for name, source in given.sources.items()
    }
    streams: dict[str, StreamConfig] = {
        name: stream
        for name, source in given.sources.items()
        if sources[name].enabled and (stream := read_stream(source, given.proxy)) is not None
    }
    return AggregatorConfig(
        sources=sources,
        streams=streams,
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
        max_spread_bps=_by_class(rules.max_spread_bps),
        older_yields_ms=rules.older_yields_ms,
        jump_guard_bps=_by_class(rules.jump_guard_bps),
        single_source_move_bps=_by_class(rules.single_source_move_bps) or 0,
        move_hold_ms=rules.move_hold_ms,
        first_price_hold_ms=rules.first_price_hold_ms,
        reference_wait_ms=rules.reference_wait_ms,
        reference_prices={_feed_pair(name): Decimal(text) for name, text in rules.reference_prices.items()},
        asset_classes={_feed_pair(name): AssetClass(each) for name, each in rules.asset_classes.items()},
        converts_stablecoins=rules.stablecoins == "converted",
        stablecoin_deviation_bps=rules.stablecoin_deviation_bps,
        egress=allowed_hosts(configuration, sources, streams),
    )


def _by_class(section: MaxSpread | JumpGuard | SingleSourceMove | None) -> Mapping[AssetClass, int] | None:
    if section is None:
        return None
    return {
        AssetClass.STABLECOINS: section.stablecoins,
        AssetClass.MAJORS: section.majors,
        AssetClass.OTHERS: section.others,
    }


def _feed_pair(name: str) -> Pair:
    feed = feeds.get(name)
    return Pair(feed.base, feed.quote)


def read_market_data(configuration: Configuration) -> MarketDataConfig:
    """
    Return the market data's view of a configuration: address, key and time-out are those of the source CoinGecko.

    A configuration that does not name CoinGecko among its sources, even as switched off, never has it asked.
    """
    given = configuration.solution.price_aggregator_config
    rules = configuration.solution.mesh.aggregator
    settings = given.market_data.coingecko_global
    source = given.sources.get("coingecko")
    key = None if source is None or source.api_key is None else source.api_key.get_secret_value()
    return MarketDataConfig(
        enabled=settings.enabled and source is not None,
        interval_ms=settings.refresh_interval_ms,
        base_url=None if source is None else source.base_url,
        timeout_ms=10_000 if source is None else source.timeout_ms,
        api_key=key or None,
        proxy=given.proxy if settings.use_proxy else None,
        limits=Limits(
            guard_bps=None if rules.jump_guard_bps is None else rules.jump_guard_bps.others,
            rate_bps=rules.single_source_move_bps.others,
            first_hold_s=0,
        ),
    )
