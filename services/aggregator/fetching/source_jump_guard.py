"""
Doubt a source's price that is far from its last one, unless others stand behind it.

A source that repeats itself proves nothing. Its price passes if it is near its last one, or if a feed believes a price
that it agrees with; where nobody else prices the same, it may move as fast as a single source's price may.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from meshkit.clock import Clock
from services.aggregator.prices.errors import PriceRefused
from services.aggregator.prices.feed_jump_guard import Candidate, Limits, Refusal, State, judge, passed, refer
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.price import plain_text
from services.aggregator.prices.quote import SourceQuote
from services.aggregator.prices.unit_error import ratio, unit_error

_MOST_PAIRS = 10_000
_WHY = {
    Refusal.JUMP: "it is far from the last price, and no feed believes it",
    Refusal.RATE: "it is far from the last price, and no other source has one",
    Refusal.UNIT: "it looks like the last price in another unit",
    Refusal.FIRST: "it is the first, and the other sources say otherwise",
}


class Others(StrEnum):
    """Tell what the other sources say of what a source prices."""

    AGREE = "agree"
    DIFFER = "differ"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Standing:
    """
    Hold what is known of a price beside its source's own last one.

    Attributes:
        others: What the other sources say.
        is_near_one: Whether it is at least near the price of one of them.
        last: The last proven price of its feed, in the currency of the source's pair; None if there is none.
    """

    others: Others = Others.SILENT
    is_near_one: bool = False
    last: Decimal | None = None


class SourceGuard:
    """
    Hold the last accepted price of each pair of each source.

    Args:
        limits: Return how the price of a source's pair may move.
    """

    def __init__(self, clock: Clock, limits: Callable[[str, Pair], Limits]) -> None:
        self._clock = clock
        self._limits = limits
        self._states: dict[tuple[str, Pair], State] = {}
        self._known_limits: dict[tuple[str, Pair], Limits] = {}

    def __len__(self) -> int:
        return len(self._states)

    def forget(self, source: str, pair: Pair) -> None:
        """Forget a pair that nobody asks for, or a price that others contradict."""
        self._states.pop((source, pair), None)

    def follow(self, quote: SourceQuote) -> None:
        """Take a price as the last accepted one."""
        self._pass(quote, self._states.get((quote.source, quote.pair), State()))

    def check(self, quote: SourceQuote, *, is_alone: bool, standing: Callable[[], Standing]) -> None:
        """
        Take a price as the last accepted one, or raise PriceRefused (rule jump, rate, unit or first).

        Args:
            quote: The price.
            is_alone: Whether no other source is configured for what the pair prices.
            standing: Return what is known of the price; called only if its source's last one does not decide.
        """
        limits = self._limits_of(quote.source, quote.pair)
        state = self._states.get((quote.source, quote.pair))
        if limits.guard_bps is None:
            return
        near = 1 + Decimal(limits.guard_bps) / 10_000
        is_near = state is not None and state.anchor is not None and ratio(quote.price, state.anchor) <= near
        if is_near and not is_alone:
            self.follow(quote)
            return
        known = Standing() if is_alone and state is not None else standing()
        if known.others is Others.AGREE and not is_alone:
            self.follow(quote)
        elif known.others is Others.DIFFER:
            self._refuse_unless_first(quote, state, known, near)
        else:
            self._check_alone(quote, state or self._referred(known, limits), limits)

    def _check_alone(self, quote: SourceQuote, state: State, limits: Limits) -> None:
        after, ruling = judge(state, Candidate(quote.price, 1, 1), limits, self._clock.monotonic())
        self._put(quote, after)
        if ruling.refusal is not None:
            raise _refused(quote, ruling.refusal)

    def _refuse_unless_first(self, quote: SourceQuote, state: State | None, known: Standing, near: Decimal) -> None:
        last = known.last if state is None else state.anchor
        if last is None and not known.is_near_one:
            raise _refused(quote, Refusal.FIRST)
        if last is None or (state is None and ratio(quote.price, last) <= near):
            self.follow(quote)
            return
        raise _refused(quote, Refusal.UNIT if unit_error(quote.price, last) else Refusal.JUMP)

    def _referred(self, known: Standing, limits: Limits) -> State:
        if known.last is None:
            return State()
        return refer(State(), known.last, limits, self._clock.monotonic())

    def _pass(self, quote: SourceQuote, state: State) -> None:
        alone = Candidate(quote.price, agreeing=1, mapped=1)
        self._put(quote, passed(state, alone, self._clock.monotonic()))

    def _put(self, quote: SourceQuote, state: State) -> None:
        # What is put last stands last, so that the first one is the one put longest ago.
        key = quote.source, quote.pair
        self._states.pop(key, None)
        self._states[key] = state
        if len(self._states) > _MOST_PAIRS:
            del self._states[next(iter(self._states))]

    def _limits_of(self, source: str, pair: Pair) -> Limits:
        """Return how the price of a source's pair may move; it is the configuration's, and never changes."""
        found = self._known_limits.get((source, pair))
        if found is None:
            if len(self._known_limits) >= _MOST_PAIRS:
                self._known_limits.clear()
            found = self._known_limits[source, pair] = replace(self._limits(source, pair), first_hold_s=0)
        return found


def _refused(quote: SourceQuote, refusal: Refusal) -> PriceRefused:
    return PriceRefused(quote.source, quote.pair, plain_text(quote.price), _WHY[refusal], rule=refusal.value)
