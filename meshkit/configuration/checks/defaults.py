"""Where our defaults are not those of the specification or of existing deployments, and why."""

from collections.abc import Iterator

from meshkit.configuration.aggregator import SOURCES
from meshkit.configuration.faults.problem import Remark
from meshkit.configuration.solution import Solution

_SPECIFIED_TTL_MS = 300_000
_AGGREGATOR = "solution.priceAggregatorConfig"


def remarks(solution: Solution) -> Iterator[Remark]:
    """Yield each default that a file relies on which may not be the one that its author knew."""
    given = solution.price_aggregator_config
    for name, source in given.sources.items():
        if source.enabled and "ttl" not in source.model_fields_set:
            text = (
                f"not given, so it is {source.ttl} ms and not the {_SPECIFIED_TTL_MS} ms of the specification: a feed "
                "must not be priced by what was true five minutes ago"
            )
            yield Remark(f"{_AGGREGATOR}.sources.{name}.ttl", text)
    binance = next((source for name, source in given.sources.items() if name == "binance"), None)
    if binance is not None and binance.enabled and binance.base_url is None:
        text = "not given, so it is https://api.binance.com and not https://api.binance.us, whose last trades are old"
        yield Remark(f"{_AGGREGATOR}.sources.binance.baseUrl", text)
    if off := [name for name in SOURCES if name not in given.sources]:
        text = f"{', '.join(off)}: not named, so off; the existing aggregator asks every source that is not turned off"
        yield Remark(f"{_AGGREGATOR}.sources", text)
    retry = given.refetch.failed_pairs_retry
    if "failed_pairs_retry" in given.refetch.model_fields_set and "retry_delay" not in retry.model_fields_set:
        text = (
            f"not given, so it is {retry.retry_delay} ms and not 10000 ms: a price that is missing is tried for sooner"
        )
        yield Remark(f"{_AGGREGATOR}.refetch.failedPairsRetry.retryDelay", text)
    for key, attribute, usual in (
        ("faucetMinWei", "faucet_min_wei", 2 * 10**13),
        ("faucetTopupWei", "faucet_topup_wei", 10**13),
    ):
        if attribute not in solution.model_fields_set:
            text = f"not given, so it is {getattr(solution, attribute)} and not {usual}, which pays for no transmission"
            yield Remark(f"solution.{key}", text)
