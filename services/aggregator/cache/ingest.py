"""
Take in prices: the one way from what a source or its stream said to the current quotes.

    fetched answer ─┐
                    ├──▶ accepted ──▶ cache, time of the next refresh ──▶ the quotes of its feeds
    streamed tick ──┘
"""

from collections.abc import Iterable, Mapping

from meshkit.clock import Clock
from meshkit.errors import Internal
from meshkit.log import get_logger
from services.aggregator.cache.feed_quotes import FeedQuotes
from services.aggregator.cache.pair_registry import PairRegistry
from services.aggregator.cache.quote_cache import QuoteCache
from services.aggregator.cache.retention import Retention
from services.aggregator.cache.schedule import Schedule
from services.aggregator.cache.streamed_feeds import StreamedFeeds
from services.aggregator.fetching.acceptance import Acceptance
from services.aggregator.fetching.refusal_counts import Refusals
from services.aggregator.fetching.source_fetcher import SourceFetcher
from services.aggregator.prices.errors import OwnClockOff, PriceRefused, UnknownPair
from services.aggregator.prices.feeds import FeedMap
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import SourceOutcome, SourceQuote, Tick
from services.aggregator.sources.source import TickOutcome

_log = get_logger(__name__)


class PriceIngest:
    """
    Take in what sources say.

    Args:
        acceptances: What judges the prices of each source.
        refreshes: When each pair is to be fetched again.
        refusals: Where it is noted why there is no price.
    """

    def __init__(
        self,
        feeds: FeedMap,
        clock: Clock,
        *,
        acceptances: Mapping[str, Acceptance],
        registry: PairRegistry,
        cached: QuoteCache,
        retention: Retention,
        refreshes: Schedule[tuple[str, Pair]],
        feed_quotes: FeedQuotes,
        refusals: Refusals,
        streamed_feeds: StreamedFeeds,
    ) -> None:
        self._feeds = feeds
        self._clock = clock
        self._acceptances = acceptances
        self._registry = registry
        self._cached = cached
        self._retention = retention
        self._refreshes = refreshes
        self._feed_quotes = feed_quotes
        self._refusals = refusals
        self._streamed_feeds = streamed_feeds

    def fetched(
        self, fetcher: SourceFetcher, pair: Pair, tick: TickOutcome | None, received_ms: int, received_at: float
    ) -> SourceOutcome:
        """
        Take in what an answer said about a pair, None if it lacks the pair, and renew the quotes of its feeds.

        Return the accepted price, or the error that there is instead of one.
        """
        outcome = self._outcome(fetcher.name, pair, tick, received_ms, received_at)
        for feed in self._keep(fetcher, pair, outcome, received_at):
            self._feed_quotes.renew(feed)
        if isinstance(outcome, SourceQuote):
            self._hear_again(outcome)
        return outcome

    def streamed(self, fetcher: SourceFetcher, pair: Pair, tick: TickOutcome) -> None:
        """
        Take in what a stream said about a pair; the quotes of its feeds are renewed when it is time.

        A refused price is as good as a silent stream: REST is asked when the kept price is about to expire.
        """
        source = fetcher.name
        entry = self._registry.get(source, pair)
        if entry is None:
            return
        fetcher.look_at_markets()
        received_at, received_ms = self._clock.monotonic(), self._clock.time_ms()
        if isinstance(tick, Tick) and tick.received_ms is not None:
            # It has waited for its turn since.
            waited_ms = max(received_ms - tick.received_ms, 0)
            received_at, received_ms = received_at - waited_ms / 1000, received_ms - waited_ms
        outcome = self._outcome(source, pair, tick, received_ms, received_at)
        if isinstance(outcome, SourceQuote):
            self._streamed_feeds.add(self._keep(fetcher, pair, outcome, received_at))
        elif isinstance(outcome, PriceRefused) and outcome.is_doubt:
            self._streamed_feeds.add(self._feeds.users(source, pair))
        if isinstance(outcome, OwnClockOff):
            return
        if not isinstance(outcome, SourceQuote) and not entry.stream_is_refused:
            _log.warning("stream_price_refused", source=source, pair=str(pair), error=str(outcome))
        entry.stream_is_refused = not isinstance(outcome, SourceQuote)

    def _outcome(
        self, source: str, pair: Pair, tick: TickOutcome | None, received_ms: int, received_at: float
    ) -> SourceOutcome:
        outcome = self._judged(source, pair, tick, received_ms, received_at)
        if not isinstance(outcome, SourceQuote):
            self._refusals.note(source, pair, outcome)
        return outcome

    def _judged(
        self, source: str, pair: Pair, tick: TickOutcome | None, received_ms: int, received_at: float
    ) -> SourceOutcome:
        try:
            return self._acceptances[source].outcome(
                pair,
                tick,
                received_ms=received_ms,
                received_at=received_at,
                is_alone=self._feed_quotes.is_alone(source, pair),
                standing=self._feed_quotes.standing,
            )
        except Exception as error:
            # A defect that one price brings to light must cost no other price of the answer.
            _log.exception("price_crashed", source=source, pair=str(pair))
            return Internal(f"{source}: the price of {pair} could not be judged: {type(error).__name__}")

    def _keep(self, fetcher: SourceFetcher, pair: Pair, outcome: SourceOutcome, received_at: float) -> Iterable[Pair]:
        """Put an accepted price into the cache, have the pair fetched again, and return the feeds to be renewed."""
        source = fetcher.name
        next_at = fetcher.settle(pair, outcome, received_at)
        entry = self._registry.get(source, pair)
        if entry is None:
            return ()  # it was forgotten meanwhile, and whoever still waits for it has the fetch
        if isinstance(outcome, UnknownPair) and not entry.pinned:
            self._retention.forget(source, pair)
            return ()
        if not isinstance(outcome, SourceQuote):
            if self._retention.is_refreshed(entry) and self._retention.is_retried(entry):
                self._refreshes.set((source, pair), next_at)
            is_doubt = isinstance(outcome, PriceRefused) and outcome.is_doubt
            return self._feeds.users(source, pair) if is_doubt else ()
        kept = self._cached.put(outcome)
        self._feed_quotes.accepted(source, pair)
        if self._retention.is_refreshed(entry):
            # A price that came too late does not prolong the one that is served.
            self._refreshes.set((source, pair), min(next_at, kept.expires_at))
        return self._feeds.users(source, pair)

    def _hear_again(self, quote: SourceQuote) -> None:
        """Have a pair fetched again when its kept price ends, if that is sooner than it was to be."""
        kept, entry = self._cached.get(quote.source, quote.pair), self._registry.get(quote.source, quote.pair)
        is_shorter = kept is not None and kept.expires_at < quote.expires_at
        if kept is not None and is_shorter and entry is not None and self._retention.is_refreshed(entry):
            self._refreshes.set((quote.source, quote.pair), kept.expires_at)
