"""Which registered pairs are kept fresh, which are tried again after a failure, and which are forgotten."""

from collections.abc import Collection

from services.aggregator.cache.current_quotes import CurrentQuotes
from services.aggregator.cache.pair_registry import PairRegistry, Registration
from services.aggregator.cache.quote_cache import QuoteCache
from services.aggregator.cache.schedule import Schedule
from services.aggregator.config import AggregatorConfig
from services.aggregator.fetching.failures import RecentFailures
from services.aggregator.fetching.refusal_counts import Refusals
from services.aggregator.fetching.source_jump_guard import SourceGuard
from services.aggregator.prices.feeds import FeedMap
from services.aggregator.prices.pair import Pair
from services.aggregator.sources.source import Declaration


class Retention:
    """
    Decide about registered pairs by who wants them.

    Args:
        declarations: The sources that are asked.
        refreshes: When each pair is to be fetched again.
    """

    def __init__(
        self,
        config: AggregatorConfig,
        declarations: Collection[Declaration],
        feeds: FeedMap,
        *,
        registry: PairRegistry,
        current: CurrentQuotes,
        cached: QuoteCache,
        failures: RecentFailures,
        refusals: Refusals,
        guard: SourceGuard,
        refreshes: Schedule[tuple[str, Pair]],
    ) -> None:
        self._config = config
        self._feeds = feeds
        self._registry = registry
        self._current = current
        self._cached = cached
        self._failures = failures
        self._refusals = refusals
        self._guard = guard
        self._refreshes = refreshes
        self._refetched = {each.name for each in declarations if config.sources[each.config_key].refetch}

    def is_refreshed(self, entry: Registration) -> bool:
        """Tell whether a pair is kept fresh: if configured or followed always, else if its source is set to."""
        if not self._config.refetch:
            return False
        return entry.pinned or entry.source in self._refetched or self._is_followed(entry)

    def is_retried(self, entry: Registration) -> bool:
        """Tell whether a refreshed pair is tried again after a failure, though nobody asks for it."""
        if entry.pinned or self._is_followed(entry):
            return True
        failures = self._failures.count(entry.source, entry.pair)
        return self._config.retries and failures < self._config.most_failures

    def fill(self, source: str, room: int, exclude: Collection[Pair]) -> list[Pair]:
        """Return up to `room` further pairs for a batch of a source, fetched longest ago first, and mark them so."""
        pairs = self._registry.fetched_longest_ago(source, room, exclude, self._is_worth_a_place)
        for pair in pairs:
            self._registry.mark_fetched(source, pair)
        return pairs

    def forget(self, source: str, pair: Pair) -> None:
        """Forget a pair, its price and why it had none."""
        self._registry.remove(source, pair)
        self._refreshes.drop((source, pair))
        self._cached.drop(source, pair)
        self._guard.forget(source, pair)
        self._refusals.forget(source, pair)

    def forget_inactive(self, idle_s: float) -> int:
        """Forget the unpinned pairs that nobody asked for or follows during this time, and return their number."""
        inactive = [entry for entry in self._registry.inactive(idle_s) if not self._is_followed(entry)]
        for entry in inactive:
            self.forget(entry.source, entry.pair)
        return len(inactive)

    def _is_worth_a_place(self, entry: Registration) -> bool:
        return self.is_refreshed(entry) and self._failures.error(entry.source, entry.pair) is None

    def _is_followed(self, entry: Registration) -> bool:
        return any(self._is_wanted(feed) for feed in self._feeds.users(entry.source, entry.pair))

    def _is_wanted(self, feed: Pair) -> bool:
        return self._current.is_followed(feed) or any(self._is_wanted(user) for user in self._feeds.dependents(feed))
