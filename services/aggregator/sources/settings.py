"""What a source takes from the configuration."""

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from meshkit.configuration.aggregation import Aggregation
from meshkit.configuration.aggregator import Source, SourceName
from meshkit.log import get_logger
from services.aggregator.sources.catalog import DECLARATIONS

_log = get_logger(__name__)


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


def read_source(
    name: SourceName, given: Source, stale_trigger_ms: int, proxy: str | None, rules: Aggregation
) -> SourceConfig:
    """
    Return the view of a source's section, which has this name in the configuration.

    Refreshes begin `stale_trigger_ms` before expiry unless the section says when, and a source that asks for a proxy
    without naming one has `proxy`. Weights and ages are among the `rules`.
    """
    lacks_proxy = given.enabled and given.use_proxy is True and proxy is None
    if lacks_proxy:
        _log.warning(
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
    )


def _rps(given: float | None) -> Fraction | None:
    """Return the exact rate that was written: 2.8 is 14/5, not the binary number next to it; null is no bound."""
    return None if given is None else Fraction(str(given))
