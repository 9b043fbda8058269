"""Look a source's price up in the cache, and fetch it if it is not there."""

from meshkit.errors import MeshError
from services.aggregator.cache.pair_registry import PairRegistry
from services.aggregator.cache.quote_cache import QuoteCache
from services.aggregator.cache.refresher import Refresher
from services.aggregator.cache.request_counts import RequestCounts
from services.aggregator.fetching.failures import RecentFailures
from services.aggregator.fetching.single_flight import PendingFetch
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import SourceOutcome


class ReadThroughCache:
    """Answer from the cache, else from a failure just made, else begin a fetch."""

    def __init__(
        self,
        *,
        cached: QuoteCache,
        failures: RecentFailures,
        registry: PairRegistry,
        requests: RequestCounts,
        refresher: Refresher,
    ) -> None:
        self._cached = cached
        self._failures = failures
        self._registry = registry
        self._requests = requests
        self._refresher = refresher

    def look_up(self, source: str, pair: Pair) -> SourceOutcome | PendingFetch:
        """
        Return the fresh price of a source's pair, else the error of a failure just made, else a fetch of it.

        The request registers the pair; a pair just found unknown is not registered again. TooManyPairs is among the
        errors returned.
        """
        quote = self._cached.get(source, pair)
        failure = None if quote is not None else self._failures.error(source, pair)
        if failure is not None and self._registry.get(source, pair) is None:
            return failure
        try:
            self._registry.touch(source, pair)
        except MeshError as error:
            return error
        if quote is not None:
            self._requests.hit(source)
            return quote
        self._requests.miss(source)
        return failure or self._refresher.fetch(source, pair)
