"""
Hold what is believed of each feed: its last proven price, and what its sources said that is doubted.

    accepted prices ─┐
                     ├──▶ agreement, guard of moves ──▶ quote, or the reason why not
    doubted prices ──┘            │
                                  └──▶ doubted prices that it agrees with become accepted, contradicted ones doubted
"""

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

from meshkit.clock import Clock
from meshkit.errors import MeshError
from meshkit.log import get_logger
from meshkit.metrics import Registry
from services.aggregator.cache.quote_cache import QuoteCache
from services.aggregator.config import AggregatorConfig
from services.aggregator.fetching.source_jump_guard import SourceGuard
from services.aggregator.prices.agreement import Rules
from services.aggregator.prices.errors import PriceUnconfirmed, SourcesDisagree
from services.aggregator.prices.feed_jump_guard import Limits, Refusal, State, refer
from services.aggregator.prices.feed_price import Belief, Sources, believe
from services.aggregator.prices.feeds import FeedMap
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.price import plain_text
from services.aggregator.prices.quote import Quote, Result, SourceQuote, Verdict
from services.aggregator.prices.unit_error import ratio
from services.aggregator.sources.source import Declaration

_log = get_logger(__name__)

_DISAGREE = "disagree"
# Who asks for a price that waits for a reference looks again so soon.
_LOOK_S = 0.1


class FeedBeliefs:
    """Make the prices of feeds out of what their sources say, each with regard to the last one."""

    def __init__(
        self,
        config: AggregatorConfig,
        declarations: Collection[Declaration],
        feeds: FeedMap,
        clock: Clock,
        metrics: Registry,
        *,
        cached: QuoteCache,
        guard: SourceGuard,
    ) -> None:
        self._config = config
        self._feeds = feeds
        self._clock = clock
        self._cached = cached
        self._guard = guard
        self._doubted = QuoteCache(clock, 2 * config.most_pairs)
        self._weights = {each.name: config.sources[each.config_key].weight for each in declarations}
        self._copies = frozenset(each.name for each in declarations if each.is_aggregate)
        self._rules: dict[Pair, tuple[Rules, Limits]] = {}
        self._states: dict[Pair, State] = {}
        self._verdicts: dict[tuple[Pair, str], Verdict] = {}
        self._refusals: dict[Pair, str] = {}
        self._is_waiting = False
        self._waiting: set[Pair] = set()
        self._verdict_count = metrics.counter("source_verdicts_total")
        self._refusal_count = metrics.counter("feed_refusals_total")

    def wait_for_references(self, waits: bool) -> Collection[Pair]:
        """Let no feed have its first price without a reference from now on, or again; return those that waited."""
        self._is_waiting = waits
        waited, self._waiting = self._waiting, set()
        return waited

    def refer(self, feed: Pair, price: Decimal) -> bool:
        """Take a price as one that a feed has had, and tell whether it takes the place of another one."""
        before = self.last(feed)
        self._states[feed] = refer(self._states.get(feed, State()), price, self.limits(feed), self._clock.monotonic())
        return before is not None and self.last(feed) != before

    def last(self, feed: Pair) -> Decimal | None:
        """Return the last proven price of a feed, None before the first."""
        state = self._states.get(feed)
        return None if state is None else state.anchor

    def rules(self, feed: Pair) -> Rules:
        """Return when the prices of a feed's sources agree."""
        return self._of(feed)[0]

    def verdict(self, feed: Pair, source: str) -> Verdict | None:
        """Return what became of a source's price when the feed's was made last; None if that had none of it yet."""
        return self._verdicts.get((feed, source))

    def doubted(self, source: str, pair: Pair) -> SourceQuote | None:
        """Return the fresh price of a source that is doubted, if there is one."""
        return self._doubted.get(source, pair)

    def limits(self, feed: Pair) -> Limits:
        """Return how the price of a feed may move."""
        return self._of(feed)[1]

    def doubt(self, quote: SourceQuote) -> None:
        """Keep a price as what its source said last, which counts among others, but is not served by itself."""
        self._doubted.put(quote)

    def accept(self, source: str, pair: Pair) -> None:
        """Drop the doubted price of a source that has an accepted one since."""
        self._doubted.drop(source, pair)

    def said(self, quotes: Sequence[SourceQuote], asked: Mapping[str, Pair], feed: Pair) -> list[SourceQuote]:
        """Return the prices with those that are doubted in their places, and beside them; a lone source's are not."""
        if len(self._feeds.sources(feed)) < 2:
            return list(quotes)
        found = {quote.source: quote for quote in quotes}
        for source, pair in asked.items():
            doubted = self._doubted.get(source, pair)
            if doubted is not None:
                found[source] = doubted
        return list(found.values())

    def price(
        self,
        feed: Pair,
        quotes: Sequence[SourceQuote],
        failures: Mapping[str, MeshError],
        asked: Mapping[str, Pair],
    ) -> Result:
        """
        Return the price of a feed, or the error that tells why there is none.

        Args:
            feed: The feed's pair.
            quotes: What its sources say, in its own currency.
            failures: Why the other sources say nothing.
            asked: The sources that the price is to be made of, with their pairs; if not all, nothing is learnt from it.
        """
        rules, limits = self._of(feed)
        state, now = self._states.get(feed, State()), self._clock.monotonic()
        mapped = self._feeds.sources(feed)
        is_whole = len(asked) == len(mapped)
        if limits.guard_bps is not None and state.anchor is None:
            if not is_whole:
                limits = Limits(guard_bps=None)
            elif self._is_waiting and quotes:
                self._waiting.add(feed)
                return PriceUnconfirmed(
                    feed, quotes[0].price, None, Refusal.FIRST, "the chain's last answer is awaited"
                )
        sources = Sources(frozenset(asked), frozenset(mapped))
        belief = believe(feed, quotes, failures, sources, rules, limits, state, now)
        if is_whole:
            self._states[feed] = belief.state
            self._settle(feed, quotes, belief, limits)
            self._note(feed, belief)
        return belief.result

    def _settle(self, feed: Pair, quotes: Sequence[SourceQuote], belief: Belief, limits: Limits) -> None:
        """Accept the doubted prices that the price agrees with, and doubt those that it contradicts."""
        if limits.guard_bps is None or len(self._feeds.sources(feed)) < 2:
            self._hear_again(quotes, belief)
            return
        if isinstance(belief.result, Quote):
            for used in belief.result.sources:
                self._promote(used.source, used.pair)
        else:
            self._hear_again(quotes, belief)
        near = 1 + Decimal(limits.guard_bps) / 10_000
        for quote in quotes:
            if self._is_contradicted(quote, quotes, belief, near):
                self._demote(quote.source, quote.pair)

    def _is_contradicted(
        self, quote: SourceQuote, quotes: Sequence[SourceQuote], belief: Belief, near: Decimal
    ) -> bool:
        """Tell whether a majority says otherwise, or where nothing is known, everybody."""
        if belief.majority is not None:
            return ratio(quote.price, belief.majority) > near
        if not isinstance(belief.result, SourcesDisagree) or belief.state.anchor is not None:
            return False
        return all(other is quote or ratio(quote.price, other.price) > near for other in quotes)

    def _promote(self, source: str, pair: Pair) -> None:
        doubted = self._doubted.get(source, pair)
        if doubted is not None:
            self._doubted.drop(source, pair)
            self._cached.put(doubted)
            self._guard.follow(doubted)

    def _demote(self, source: str, pair: Pair) -> None:
        accepted = self._cached.get(source, pair)
        # If the source said something else since, it is that which is contradicted.
        if accepted is not None and self._doubted.get(source, pair) is None:
            self._cached.drop(source, pair)
            self._doubted.put(accepted)
            self._guard.forget(source, pair)

    def _hear_again(self, quotes: Sequence[SourceQuote], belief: Belief) -> None:
        """Have the sources of a first price that has to last asked again when it has."""
        if isinstance(belief.result, PriceUnconfirmed) and belief.result.wait_s is not None:
            until = self._clock.monotonic() + belief.result.wait_s
            for quote in quotes:
                self._cached.shorten(quote.source, quote.pair, until)

    def _note(self, feed: Pair, belief: Belief) -> None:
        """Count and log what became of each source's price, and of the feed's, when that changes."""
        for source, verdict in belief.verdicts.items():
            if self._verdicts.get((feed, source)) is verdict:
                continue
            before = self._verdicts.get((feed, source), Verdict.USED)
            self._verdicts[feed, source] = verdict
            self._verdict_count.labels(source, verdict.value).inc()
            if before is not verdict and verdict is not Verdict.APART:
                level = _log.info if verdict is Verdict.USED else _log.warning
                level("source_verdict", feed=str(feed), source=source, verdict=verdict.value)
        result, before_reason = belief.result, self._refusals.get(feed)
        if isinstance(result, Quote):
            if before_reason is not None:
                del self._refusals[feed]
                _log.info("price_believed", feed=str(feed), price=plain_text(result.price))
            return
        reason = _reason(result)
        if reason is not None and reason != before_reason:
            self._refusals[feed] = reason
            self._refusal_count.labels(reason).inc()
            _log.warning("price_not_believed", feed=str(feed), reason=reason, error=str(result))

    def _of(self, feed: Pair) -> tuple[Rules, Limits]:
        found = self._rules.get(feed)
        if found is None:
            config = self._config
            rules = Rules(
                minimum=config.minimum_sources,
                max_spread_bps=config.spread_bps(feed),
                outlier_floor_bps=config.outlier_floor_bps,
                outlier_factor=config.outlier_factor,
                older_ms=config.older_yields_ms,
                weights=self._weights,
                copies=self._copies,
            )
            found = self._rules[feed] = (rules, config.limits(feed))
        return found


def _reason(error: MeshError) -> str | None:
    if isinstance(error, SourcesDisagree):
        return _DISAGREE
    return str(error.rule) if isinstance(error, PriceUnconfirmed) else None
