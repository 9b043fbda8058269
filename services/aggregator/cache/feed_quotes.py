"""
Make the quotes of feeds out of the cached prices of their sources, and keep them current.

    cached prices ──▶ median, or quotient of two feeds' medians ──▶ current quote ──▶ the feeds computed with it

A feed's current quote changes when a price arrives, and when one expires without a successor.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from meshkit.clock import Clock
from meshkit.errors import Internal, MeshError
from meshkit.log import get_logger
from services.aggregator.cache.current_quotes import CurrentQuotes
from services.aggregator.cache.feed_beliefs import FeedBeliefs
from services.aggregator.cache.quote_cache import QuoteCache
from services.aggregator.cache.schedule import Schedule
from services.aggregator.fetching.failures import RecentFailures
from services.aggregator.fetching.source_jump_guard import Others, Standing
from services.aggregator.own_clock import OwnClock
from services.aggregator.prices.cross_rate import in_currency, quotient
from services.aggregator.prices.errors import PriceUnconfirmed, SourcesDisagree, TooFewSources
from services.aggregator.prices.feed_jump_guard import Refusal
from services.aggregator.prices.feeds import FeedMap
from services.aggregator.prices.median import DIGITS
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Quote, Result, SourceQuote, Verdict
from services.aggregator.prices.unit_error import ratio, unit_error

_log = get_logger(__name__)


class FeedQuotes:
    """
    Put the quotes of feeds in place, and withdraw what has expired.

    Args:
        stablecoin_deviation_bps: How far from one a stablecoin may be whose own price is not known.
    """

    def __init__(
        self,
        feeds: FeedMap,
        beliefs: FeedBeliefs,
        clock: Clock,
        *,
        cached: QuoteCache,
        failures: RecentFailures,
        current: CurrentQuotes,
        stablecoin_deviation_bps: int,
        own_clock: OwnClock,
    ) -> None:
        self._own_clock = own_clock
        self._feeds = feeds
        self._beliefs = beliefs
        self._clock = clock
        self._cached = cached
        self._failures = failures
        self._current = current
        self._stablecoin_deviation_bps = stablecoin_deviation_bps
        self._expiries: Schedule[Pair] = Schedule()
        self._cross_references: dict[Pair, Decimal] = {}

    def price(
        self, feed: Pair, quotes: Sequence[SourceQuote], failures: Mapping[str, MeshError], asked: Mapping[str, Pair]
    ) -> Result:
        """
        Return the price of a feed made of its sources' fresh prices, or the error that tells why there is none.

        Prices in a stablecoin are converted by its current quote, unless the configuration says otherwise. What the
        sources said that is doubted counts as well. While our own clock is off, nothing has a price.
        """
        if self._own_clock.state.is_off:
            return self._own_clock.error()
        said, failed = self._in_currency(feed, quotes, asked)
        return self._beliefs.price(feed, said, {**failures, **failed}, asked)

    def price_of_kept(self, feed: Pair, asked: Mapping[str, Pair]) -> Result:
        """Return what the kept prices of the sources that are asked make, as `price` does."""
        return self.price(feed, *self._found(asked), asked)

    def cross(self, feed: Pair, numerator: Result, denominator: Result) -> Result:
        """Return the price of a feed made of its two legs' prices, or the error of the leg that has none."""
        if isinstance(numerator, MeshError):
            return numerator
        if isinstance(denominator, MeshError):
            return denominator
        quote = quotient(feed, numerator, denominator)
        reference = self._cross_references.get(feed)
        if reference is not None:
            error = unit_error(quote.price, reference)
            if error is not None:
                why = f"it looks like another unit ({error})"
                return PriceUnconfirmed(feed, quote.price, reference, Refusal.UNIT, why)
            del self._cross_references[feed]
        return quote

    def refer(self, feed: Pair, price: Decimal) -> None:
        """Take a price that a feed is known to have had, such as the last answer on chain, as its predecessor."""
        if self._feeds.cross(feed) is not None:
            self._cross_references[feed] = price
        elif self._beliefs.refer(feed, price):
            self.renew(feed)

    def wait_for_references(self, waits: bool) -> None:
        """Let no feed have its first price without a reference from now on, or again."""
        for feed in self._beliefs.wait_for_references(waits):
            self.renew(feed)

    def standing(self, quote: SourceQuote) -> Standing:
        """
        Return what is known of a source's new price beside the source's own last one.

        Until it is accepted, it counts as what the source says in the making of its feeds' prices.
        """
        self._beliefs.doubt(quote)
        standing = Standing()
        for feed in self._feeds.users(quote.source, quote.pair):
            found = self._standing(feed, quote)
            if found.others is Others.AGREE:
                return found
            if found.others is Others.DIFFER or standing.last is None:
                standing = replace(found, is_near_one=found.is_near_one or standing.is_near_one)
        return standing

    def accepted(self, source: str, pair: Pair) -> None:
        """Drop what a source said before of a pair that is doubted: it has an accepted price since."""
        self._beliefs.accept(source, pair)

    def is_alone(self, source: str, pair: Pair) -> bool:
        """Tell whether no other source is configured for what a source's pair prices."""
        return all(len(self._feeds.sources(feed)) == 1 for feed in self._feeds.users(source, pair))

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
            # An outlier is one of the prices that the median is of, so its end is another price.
            outliers = (left.quote.expires_at for left in result.left_out if left.verdict is Verdict.OUTLIER)
            self._expiries.set(feed, min((result.expires_at, *outliers)))
        for dependent in self._feeds.dependents(feed):
            computed = self._made(dependent)
            if isinstance(computed, Quote) or self._current.get(dependent) is not None:
                self.put(dependent, computed)

    def renew(self, feed: Pair) -> None:
        """Make a feed's quote anew, as one of its sources said something else."""
        result = self._made(feed)
        # Too few prices while the other sources are still asked is no news, but that they disagree withdraws a quote.
        is_refused = isinstance(result, SourcesDisagree | PriceUnconfirmed)
        if isinstance(result, Quote) or (is_refused and self._current.get(feed) is not None):
            self.put(feed, result)

    def withdraw_all(self) -> None:
        """Replace all quotes by the error that our own clock is off."""
        for feed in self._current.priced():
            self._current.put(feed, self._own_clock.error())

    def withdraw_expired(self) -> float | None:
        """Replace the quotes that have expired by what there is now; return the moment of the next expiry, if any."""
        for feed in self._expiries.pop_due(self._clock.monotonic()):
            self.put(feed, self._made(feed))
        return self._expiries.next_at()

    def _standing(self, feed: Pair, quote: SourceQuote) -> Standing:
        mapped = self._feeds.sources(feed)
        quotes, failures = self._found(mapped)
        said, failed = self._in_currency(feed, quotes, mapped)
        own = next((each for each in said if each.source == quote.source), quote)
        anchor = self._beliefs.last(feed)
        last = None if anchor is None else DIGITS.divide(DIGITS.multiply(anchor, quote.price), own.price)
        others = [each for each in said if each.source != quote.source]
        if not others:
            return Standing(last=last)
        result = self._beliefs.price(feed, said, {**failures, **failed}, mapped)
        if isinstance(result, Quote) and any(used.source == quote.source for used in result.sources):
            return Standing(Others.AGREE, is_near_one=True, last=last)
        guard_bps = self._beliefs.limits(feed).guard_bps or 0
        is_near_one = any(ratio(own.price, each.price) <= 1 + Decimal(guard_bps) / 10_000 for each in others)
        return Standing(Others.DIFFER, is_near_one, last)

    def _in_currency(
        self, feed: Pair, quotes: Sequence[SourceQuote], asked: Mapping[str, Pair]
    ) -> tuple[list[SourceQuote], dict[str, MeshError]]:
        return in_currency(
            self._beliefs.said(quotes, asked, feed),
            lambda spelled: self._feeds.conversion(feed, spelled),
            self._rate,
            self._stablecoin_deviation_bps,
        )

    def _rate(self, pair: Pair) -> Quote | None:
        rate = self.fresh(pair)
        return rate if isinstance(rate, Quote) else None

    def _found(self, mapped: Mapping[str, Pair]) -> tuple[list[SourceQuote], dict[str, MeshError]]:
        """Return the fresh prices of sources, and the failures just made of the others."""
        quotes: list[SourceQuote] = []
        failures: dict[str, MeshError] = {}
        for source, pair in mapped.items():
            quote = self._cached.get(source, pair)
            if quote is not None:
                quotes.append(quote)
            elif (failure := self._failures.error(source, pair)) is not None:
                failures[source] = failure
        return quotes, failures

    def _made(self, feed: Pair) -> Result:
        try:
            return self._made_of_cached(feed)
        except Exception as error:
            # A defect that one feed brings to light must cost no other feed, and no task.
            _log.exception("feed_crashed", feed=str(feed))
            return Internal(f"{feed}: the price could not be made: {type(error).__name__}")

    def _made_of_cached(self, feed: Pair) -> Result:
        if (legs := self._feeds.cross(feed)) is not None:
            numerator, denominator = (self.fresh(leg) or TooFewSources(leg, 0, 1, {}) for leg in legs)
            return self.cross(feed, numerator, denominator)
        return self.price_of_kept(feed, self._feeds.sources(feed))
