"""
Make the quotes of feeds out of the cached prices of their sources, and keep them current.

    cached prices ──▶ median, or quotient of two feeds' medians ──▶ current quote ──▶ the feeds computed with it

A feed's current quote changes when a price arrives, and when one expires without a successor.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from meshkit.clock import Clock
from meshkit.errors import MeshError
from services.aggregator.cache.current_quotes import CurrentQuotes
from services.aggregator.cache.quote_cache import QuoteCache
from services.aggregator.cache.schedule import Schedule
from services.aggregator.fetching.failures import RecentFailures
from services.aggregator.prices.cross_rate import converted, quotient
from services.aggregator.prices.errors import ConversionMissing, TooFewSources
from services.aggregator.prices.feeds import FeedMap
from services.aggregator.prices.median import Rules, aggregate, median
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Quote, Result, SourceQuote


class FeedQuotes:
    """Put the quotes of feeds in place, and withdraw what has expired."""

    def __init__(
        self,
        feeds: FeedMap,
        rules: Rules,
        clock: Clock,
        *,
        cached: QuoteCache,
        failures: RecentFailures,
        current: CurrentQuotes,
    ) -> None:
        self._feeds = feeds
        self._rules = rules
        self._clock = clock
        self._cached = cached
        self._failures = failures
        self._current = current
        self._expiries: Schedule[Pair] = Schedule()

    def price(
        self, feed: Pair, quotes: Iterable[SourceQuote], failures: Mapping[str, MeshError], mapped: int
    ) -> Result:
        """
        Return the price of a feed made of its sources' fresh prices, or the error that tells why there is none.

        Prices in a stablecoin are converted by its current quote, where the configuration says so.
        """
        usable: list[SourceQuote] = []
        failed = dict(failures)
        for quote in quotes:
            pair = self._feeds.conversion(feed, quote.pair)
            if pair is None:
                usable.append(quote)
                continue
            rate = self.fresh(pair)
            if isinstance(rate, Quote):
                usable.append(converted(quote, rate))
            else:
                failed[quote.source] = ConversionMissing(quote.source, pair)
        return aggregate(feed, usable, failed, mapped=mapped, rules=self._rules)

    def fresh(self, feed: Pair) -> Result | None:
        """Return the latest result of a feed, None if there is none or its price has expired."""
        result = self._current.get(feed)
        if isinstance(result, Quote) and result.expires_at <= self._clock.monotonic():
            return None
        return result

    def put(self, feed: Pair, result: Result) -> None:
        """Put a feed's new result in place, and those of the feeds that are computed with it."""
        self._current.put(feed, result)
        if isinstance(result, Quote):
            self._expiries.set(feed, result.expires_at)
        for dependent in self._feeds.dependents(feed):
            computed = self._made(dependent)
            if isinstance(computed, Quote) or self._current.get(dependent) is not None:
                self.put(dependent, computed)

    def renew(self, feed: Pair) -> None:
        """Make a feed's quote anew, as one of its sources has another price."""
        result = self._made(feed)
        # Too few prices while the other sources are still asked is no news.
        if isinstance(result, Quote):
            self.put(feed, result)

    def withdraw_expired(self) -> float | None:
        """Replace the quotes that have expired by what there is now; return the moment of the next expiry, if any."""
        for feed in self._expiries.pop_due(self._clock.monotonic()):
            self.put(feed, self._made(feed))
        return self._expiries.next_at()

    def others_median(self, source: str, pair: Pair) -> Decimal | None:
        """Return the median of the other sources' fresh prices of what a source's pair prices, if there are any."""
        prices = [
            quote.price
            for feed in self._feeds.users(source, pair)
            for other, spelled in self._feeds.sources(feed).items()
            if other != source and (quote := self._cached.get(other, spelled)) is not None
        ]
        return median(prices) if prices else None

    def _made(self, feed: Pair) -> Result:
        if (legs := self._feeds.cross(feed)) is not None:
            numerator, denominator = (self.fresh(leg) or TooFewSources(leg, 0, 1, {}) for leg in legs)
            return cross(feed, numerator, denominator)
        quotes, failures = [], {}
        mapped = self._feeds.sources(feed)
        for source, pair in mapped.items():
            quote = self._cached.get(source, pair)
            if quote is not None:
                quotes.append(quote)
            elif (failure := self._failures.error(source, pair)) is not None:
                failures[source] = failure
        return self.price(feed, quotes, failures, len(mapped))


def cross(feed: Pair, numerator: Result, denominator: Result) -> Result:
    """Return the price of a feed made of its two legs' prices, or the error of the leg that has none."""
    if isinstance(numerator, MeshError):
        return numerator
    if isinstance(denominator, MeshError):
        return denominator
    return quotient(feed, numerator, denominator)
