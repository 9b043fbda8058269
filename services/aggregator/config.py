"""What the aggregator takes from the configuration, with its rules already applied."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from meshkit import feeds
from meshkit.configuration.aggregator import DEFAULT_BATCH_SIZE, Source
from meshkit.configuration.solution import Configuration
from meshkit.errors import InvalidInput
from meshkit.paths import CONFIG_VARIABLE
from services.aggregator.pair import Pair

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
        pinned: The pairs of the configured feeds, kept fresh from the start and never removed.
        request_timeout_ms: How long a caller waits at most.
        minimum_sources: How many fresh sources a price needs, fewer only where fewer are mapped.
        refetch: Whether pairs are refreshed before they expire.
        inactive_timeout_ms: How long an unpinned pair may go unasked; None to keep it for ever.
    """

    sources: Mapping[str, SourceConfig]
    feeds: Mapping[Pair, Mapping[str, Pair]]
    pinned: tuple[Pair, ...] = ()
    http_port: int = 3000
    log_level: str = "info"
    request_timeout_ms: int = LONGEST_WAIT_MS
    minimum_sources: int = MINIMUM_SOURCES
    refetch: bool = True
    inactive_timeout_ms: int | None = 7_200_000
    cleanup_interval_ms: int = 300_000
    most_pairs: int = MOST_PAIRS
    pair_ttls: tuple[PairTtl, ...] = field(default=())

    def ttl_ms(self, source: str, pair: Pair) -> int:
        """Return the time to live of a pair: the first override that fits, else the source's own."""
        for override in self.pair_ttls:
            if override.pair == pair and override.source in (None, source):
                return override.ttl_ms
        return self.sources[source].ttl_ms


def path(environment: Mapping[str, str]) -> Path:
    """Return where the configuration is; raise InvalidInput if the environment does not say."""
    if not environment.get(CONFIG_VARIABLE):
        raise InvalidInput(CONFIG_VARIABLE, environment.get(CONFIG_VARIABLE), "the path of a configuration.json")
    return Path(environment[CONFIG_VARIABLE])


def read(configuration: Configuration) -> AggregatorConfig:
    """Return the aggregator's view of a configuration; raises UnknownFeed for a feed that is not known."""
    given = configuration.solution.price_aggregator_config
    known = {
        Pair(feed.base, feed.quote): {source: Pair(*spelled) for source, spelled in feed.sources.items()}
        for feed in feeds.load().values()
    }
    pinned = [feeds.get(name) for name in configuration.solution.mesh.feeds]
    return AggregatorConfig(
        sources={
            name: _source(name, source, given.refetch.stale_trigger_before_expiry)
            for name, source in given.sources.items()
        },
        feeds=known,
        pinned=tuple(Pair(feed.base, feed.quote) for feed in pinned),
        http_port=given.port,
        log_level={"warn": "warning", "verbose": "debug"}.get(given.logger.level, given.logger.level),
        request_timeout_ms=min(given.quotes.request_timeout_ms, LONGEST_WAIT_MS),
        refetch=given.refetch.enabled,
        inactive_timeout_ms=given.pair_cleanup.inactive_timeout_ms if given.pair_cleanup.enabled else None,
        cleanup_interval_ms=given.pair_cleanup.cleanup_interval_ms,
        pair_ttls=tuple(PairTtl(Pair(*entry.pair), entry.source, entry.ttl) for entry in given.pairs_ttl),
    )


def _source(name: str, given: Source, stale_trigger_ms: int) -> SourceConfig:
    return SourceConfig(
        name=name,
        enabled=given.enabled,
        base_url=given.base_url,
        ttl_ms=given.ttl,
        timeout_ms=given.timeout_ms,
        max_concurrent=given.max_concurrent,
        refetch=given.refetch,
        stale_trigger_ms=given.stale_trigger_before_expiry or stale_trigger_ms,
        max_batch=given.max_batch_size or DEFAULT_BATCH_SIZE.get(name, 1_000),
    )
