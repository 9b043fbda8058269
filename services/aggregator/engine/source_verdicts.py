"""What became of each source of a feed, for whoever asks why its price is what it is, or why there is none."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from meshkit.clock import Clock
from meshkit.errors import FailedPrecondition, MeshError
from services.aggregator.cache.feed_beliefs import FeedBeliefs
from services.aggregator.cache.quote_cache import QuoteCache
from services.aggregator.fetching.failures import RecentFailures
from services.aggregator.prices.errors import PriceRefused
from services.aggregator.prices.feed_price import believe_again
from services.aggregator.prices.feeds import FeedMap
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import LeftOut, Quote, SourceQuote, Verdict

STALE, REFUSED, FAILED, SILENT = "stale", "refused", "failed", "silent"


@dataclass(frozen=True, slots=True)
class AbsentSource:
    """
    Hold why a source has no fresh price.

    Attributes:
        verdict: `refused` (its price broke a rule), `failed` (it gave none), `stale` (its last one's time is over), or
            `silent` (nothing is known of it).
        rule: Which rule a price broke.
        last_ms: When its last accepted price was, Unix milliseconds; None if there was none since the start.
        is_cut_off: Whether it is not asked now, as it failed too often.
    """

    source: str
    pair: Pair
    verdict: str
    reason: str = ""
    rule: str = ""
    message: str = ""
    last_ms: int | None = None
    is_cut_off: bool = False


@dataclass(frozen=True, slots=True)
class PricedSource:
    """Hold a source's fresh price, and what became of it the last time that the feed's price was made."""

    quote: SourceQuote
    verdict: str


class SourceVerdicts:
    """Look at the sources of a feed as they stand; nothing is changed by that. `is_cut_off` tells it of a source."""

    def __init__(
        self,
        feeds: FeedMap,
        clock: Clock,
        *,
        cached: QuoteCache,
        beliefs: FeedBeliefs,
        failures: RecentFailures,
        is_cut_off: Callable[[str], bool] = lambda _source: False,
    ) -> None:
        self._feeds = feeds
        self._clock = clock
        self._cached = cached
        self._beliefs = beliefs
        self._failures = failures
        self._is_cut_off = is_cut_off

    def absent(self, feed: Pair, present: Collection[str]) -> list[AbsentSource]:
        """Return why the sources of a feed, those of both legs of a cross feed, that are not named have no price."""
        return [
            self._absent(source, pair)
            for source, pair in self._mapped(feed)
            if source not in present and self._said(source, pair) is None
        ]

    def priced(self, feed: Pair) -> list[PricedSource]:
        """Return the fresh prices of a feed's sources, doubted ones included, in the currency of each source's pair."""
        legs = self._feeds.cross(feed) or (feed,)
        found = []
        for leg in legs:
            for source, pair in self._feeds.sources(leg).items():
                quote = self._said(source, pair)
                if quote is not None:
                    verdict = self._beliefs.verdict(leg, source)
                    found.append(PricedSource(quote, "" if verdict is None else verdict.value))
        return found

    def replay(self, feed: Pair, sources: Sequence[SourceQuote], left_out: Sequence[LeftOut]) -> Quote:
        """
        Return the price that sources' prices of once make by the rules of now.

        Nothing is learnt from it.

        Raises:
            TooFewSources, SourcesDisagree: where the rules give none.
            FailedPrecondition: for a cross feed, whose price is the quotient of two others.
        """
        if (legs := self._feeds.cross(feed)) is not None:
            raise FailedPrecondition(f"{feed} is the quotient of {legs[0]} and {legs[1]}: replay those")
        units = frozenset(left.quote.price for left in left_out if left.verdict is Verdict.UNIT)
        quotes = [*sources, *(left.quote for left in left_out)]
        return believe_again(feed, quotes, len(self._feeds.sources(feed)), self._beliefs.rules(feed), units)

    def _mapped(self, feed: Pair) -> list[tuple[str, Pair]]:
        legs = self._feeds.cross(feed) or (feed,)
        found: Mapping[tuple[str, Pair], None] = dict.fromkeys(
            each for leg in legs for each in self._feeds.sources(leg).items()
        )
        return list(found)

    def _said(self, source: str, pair: Pair) -> SourceQuote | None:
        return self._cached.get(source, pair) or self._beliefs.doubted(source, pair)

    def _absent(self, source: str, pair: Pair) -> AbsentSource:
        last_ms = self._cached.last_ms(source, pair)
        failure = self._failures.last(source, pair)
        error: MeshError | None = None if failure is None else failure.error
        if error is None:
            return AbsentSource(source, pair, SILENT if last_ms is None else STALE, last_ms=last_ms)
        rule = error.rule if isinstance(error, PriceRefused) else ""
        return AbsentSource(
            source, pair, REFUSED if rule else FAILED, error.reason, rule, str(error), last_ms, self._is_cut_off(source)
        )
