"""
Whether the agreed price of a feed may follow its last one; values in, values out, with a passed monotonic time.

    candidate ──▶ near the last price ─────────────────────────────────────────▶ passed
                  else a unit error ──▶ only by all fresh sources, of two kinds ──▶ passed, else refused for ever
                  else a majority of all configured sources, of every kind ──────▶ passed
                  else held until every fresh source has agreed for a set time ──▶ passed

A single source cannot be confirmed by anybody. Its price moves by at most a set rate a minute: one that is further away
is refused until the time since then allows it. Nothing lifts the refusal of a unit error of a single source but a
reference from elsewhere.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from services.aggregator.prices.unit_error import ratio, unit_error

_MINUTE_S = 60.0
# So many sources of one kind prove a first price against one that says the same in another unit.
_FEWEST_OF_ONE_KIND = 3
# What a single source said within a minute is remembered as the lowest and the highest of this many seconds.
_SPAN_S = 5.0


class Refusal(StrEnum):
    """Tell why a price is not believed yet."""

    FIRST = "first"
    JUMP = "jump"
    RATE = "rate"
    UNIT = "unit"


@dataclass(frozen=True, slots=True)
class Limits:
    """
    Say how a feed's price may move.

    Attributes:
        guard_bps: How far from the last one a price may be without further proof, in basis points; None for any.
        rate_bps: How far the price of a single source may move within a minute, in basis points.
        move_hold_s: How long a further move has to last that is agreed on, but not by a majority of every kind.
        first_hold_s: How long the first price has to last that nothing can be compared with.
    """

    guard_bps: int | None = 1_000
    rate_bps: int = 500
    move_hold_s: float = 60.0
    first_hold_s: float = 2.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """
    Hold a price that sources agree on, and how many of which.

    Attributes:
        agreeing: How many sources agree on it.
        mapped: How many are configured for the feed.
        kinds: Of how many kinds are those that agree.
        mapped_kinds: Of how many kinds are those configured.
        apart: The fresh prices of the sources that do not agree with it.
        oldest_ms: When the first of the agreeing prices was received, Unix milliseconds.
        newest_ms: When the last of them was.
    """

    price: Decimal
    agreeing: int
    mapped: int
    kinds: int = 1
    mapped_kinds: int = 1
    apart: tuple[Decimal, ...] = ()
    oldest_ms: int = 0
    newest_ms: int = 0

    @property
    def is_single(self) -> bool:
        """Tell whether the feed has no other source that could confirm the price."""
        return self.mapped == 1

    @property
    def is_majority(self) -> bool:
        """Tell whether most of the configured sources agree, fresh or not, each counted in full."""
        return self.agreeing * 2 > self.mapped

    @property
    def is_corroborated(self) -> bool:
        """Tell whether a majority agrees that neither one source nor a fault of one kind of source can make."""
        return not self.is_single and self.is_majority and (self.kinds > 1 or self.mapped_kinds == 1)


@dataclass(frozen=True, slots=True)
class Held:
    """Hold a price that has to last: what it began with, when, and when its newest part had been received."""

    price: Decimal
    since: float
    newest_ms: int


@dataclass(frozen=True, slots=True)
class Span:
    """Hold the lowest and the highest price that passed within a few seconds, the last of them at a moment."""

    began: float
    at: float
    low: Decimal
    high: Decimal


@dataclass(frozen=True, slots=True)
class State:
    """
    Hold what is known of a feed's price.

    Attributes:
        anchor: The last price that was proven, which the next ones are compared with.
        is_sure: Whether sources of two kinds, or a reference from elsewhere, stand behind the anchor.
        held: A price that waits for the time it has to last.
        suspect: The last price that was refused as a unit error; one near it is the same error.
        recent: What passed lately, of a single source.
    """

    anchor: Decimal | None = None
    is_sure: bool = False
    held: Held | None = None
    suspect: Decimal | None = None
    recent: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Ruling:
    """Tell whether a price passed, else why not; `detail` is the factor of a unit error."""

    refusal: Refusal | None = None
    detail: str = ""


PASSED = Ruling()


def judge(state: State, candidate: Candidate, limits: Limits, now: float) -> tuple[State, Ruling]:
    """Return what is known after a candidate, and whether it passes."""
    if limits.guard_bps is None:
        return passed(state, candidate, now), PASSED
    if state.anchor is None:
        return _first(state, candidate, limits, now)
    if candidate.is_single:
        return _single(state, candidate, limits, now)
    is_near = ratio(candidate.price, state.anchor) <= _within(limits.guard_bps)
    if not is_near and (error := _unit_error(state, candidate.price, limits.guard_bps)):
        if candidate.kinds > 1 and candidate.is_majority and not candidate.apart:
            return passed(state, candidate, now), PASSED
        return replace(state, held=None, suspect=candidate.price), Ruling(Refusal.UNIT, error)
    if candidate.is_corroborated:
        return passed(state, candidate, now), PASSED
    if candidate.apart and not candidate.is_majority:
        state = replace(state, held=None)
    else:
        state, is_over = _hold(state, candidate, limits.guard_bps, limits.move_hold_s, now)
        if is_over:
            return passed(state, candidate, now), PASSED
    return state, PASSED if is_near else Ruling(Refusal.JUMP)


def unheld(state: State) -> State:
    """Return the state after a moment without an agreed price: what has to last begins anew."""
    return state if state.held is None else replace(state, held=None)


def refer(state: State, price: Decimal, limits: Limits, now: float) -> State:
    """
    Return the state with a reference from elsewhere, such as the last answer on chain.

    It takes the place of an anchor only if that is far from it and was proven by one kind of source alone.
    """
    if limits.guard_bps is None or state.is_sure:
        return state
    if state.anchor is not None and ratio(state.anchor, price) <= _within(limits.guard_bps):
        return replace(state, is_sure=True)
    return State(price, is_sure=True, recent=(Span(now, now, price, price),))


def passed(state: State, candidate: Candidate, now: float) -> State:
    """Return what is known after a price that is believed, whoever decided so."""
    is_sure = state.is_sure or (candidate.is_corroborated and candidate.kinds > 1)
    price = candidate.price
    if not candidate.is_single:
        return State(price, is_sure)
    spans = tuple(span for span in state.recent if now - span.at <= _MINUTE_S)
    if spans and now - spans[-1].began < _SPAN_S:
        last = spans[-1]
        spans = (*spans[:-1], Span(last.began, now, min(last.low, price), max(last.high, price)))
    else:
        spans = (*spans, Span(now, now, price, price))
    return State(price, is_sure, recent=spans)


def _first(state: State, candidate: Candidate, limits: Limits, now: float) -> tuple[State, Ruling]:
    """Judge a price without a predecessor: peers of two kinds prove it, else it has to last."""
    if not candidate.is_majority or (candidate.kinds < 2 and candidate.agreeing < _FEWEST_OF_ONE_KIND):
        for other in candidate.apart:
            if error := unit_error(candidate.price, other):
                return replace(state, held=None), Ruling(Refusal.UNIT, error)
    if candidate.is_corroborated:
        return passed(state, candidate, now), PASSED
    if candidate.apart and not candidate.is_majority:
        return replace(state, held=None), Ruling(Refusal.FIRST)
    hold_s = limits.move_hold_s if candidate.apart else limits.first_hold_s
    state, is_over = _hold(state, candidate, limits.guard_bps, hold_s, now)
    return (passed(state, candidate, now), PASSED) if is_over else (state, Ruling(Refusal.FIRST))


def _single(state: State, candidate: Candidate, limits: Limits, now: float) -> tuple[State, Ruling]:
    """Judge the price of a feed's only source by how fast it moves."""
    price, rate = candidate.price, Decimal(limits.rate_bps) / 10_000
    far = False
    for span in state.recent:
        minutes = max(Decimal(1), Decimal(str(now - span.at)) / 60)
        times = max(ratio(price, span.low), ratio(price, span.high))
        far = far or times > 1 + rate
        if times > 1 + rate * minutes:
            error = _unit_error(state, price, limits.guard_bps)
            refused = Ruling(Refusal.UNIT, error) if error else Ruling(Refusal.RATE)
            return (replace(state, suspect=price) if error else state), refused
    if far and (error := _unit_error(state, price, limits.guard_bps)):
        return replace(state, suspect=price), Ruling(Refusal.UNIT, error)
    return passed(state, candidate, now), PASSED


def _hold(state: State, candidate: Candidate, guard_bps: int | None, hold_s: float, now: float) -> tuple[State, bool]:
    """Begin or go on with holding a price; tell whether it has lasted, each of its sources having said it again."""
    held = state.held
    if held is None or ratio(candidate.price, held.price) > _within(guard_bps or 0):
        held = Held(candidate.price, now, candidate.newest_ms)
    is_over = hold_s <= 0 or (now - held.since >= hold_s and candidate.oldest_ms > held.newest_ms)
    return replace(state, held=held), is_over


def _unit_error(state: State, price: Decimal, guard_bps: int | None) -> str | None:
    if state.suspect is not None and ratio(price, state.suspect) <= _within(guard_bps or 0):
        return "as before"
    return None if state.anchor is None else unit_error(price, state.anchor)


def _within(bps: int) -> Decimal:
    return 1 + Decimal(bps) / 10_000
