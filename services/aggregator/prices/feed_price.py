"""
What a feed's price is made of its sources' prices: agreement, then the guard of its moves; values in, values out.

docs/prices.md says which price is believed, and why.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from meshkit.errors import DeadlineExceeded, MeshError, RateLimited
from services.aggregator.prices.agreement import Agreement, Disagreement, Rules, agree
from services.aggregator.prices.errors import (
    PriceUnconfirmed,
    SourceRateLimited,
    SourcesDisagree,
    TooFewSources,
    UnknownPair,
)
from services.aggregator.prices.feed_jump_guard import Candidate, Limits, Refusal, Ruling, State, judge, unheld
from services.aggregator.prices.median import median, spread_bps
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import LeftOut, Quote, QuoteStatus, Result, SourceQuote, Verdict
from services.aggregator.prices.unit_error import ratio, unit_error

SINGLE_SOURCE = "single_source"
MINORITY = "minority"


@dataclass(frozen=True, slots=True)
class Sources:
    """
    Name the sources a price may be made of.

    Attributes:
        asked: Those that were asked for it.
        mapped: All that are configured for the feed, of which the price needs a majority to leap.
    """

    asked: frozenset[str]
    mapped: frozenset[str]


@dataclass(frozen=True, slots=True)
class Belief:
    """
    Hold the price of a feed, or why there is none, and what is known afterwards.

    Attributes:
        verdicts: What became of each source's fresh price.
        majority: The price that most of the configured sources agree on, be it believed yet or not.
    """

    result: Result
    state: State
    verdicts: Mapping[str, Verdict]
    majority: Decimal | None = None


def required(mapped: int, minimum: int) -> int:
    """Return how many fresh sources a price needs: `minimum`, or all of them where fewer are mapped to the pair."""
    return min(mapped, minimum)


def quote_of(pair: Pair, quotes: Sequence[SourceQuote], mapped: int) -> Quote:
    """Return the median of one or more accepted prices; fresh if they are as many as the sources mapped to the pair."""
    prices = [quote.price for quote in quotes]
    price = median(prices)
    return Quote(
        pair=pair,
        price=price,
        status=QuoteStatus.FRESH if len(quotes) == mapped else QuoteStatus.DEGRADED,
        sources=tuple(sorted(quotes, key=lambda quote: quote.source)),
        spread_bps=spread_bps(prices, price),
    )


def believe(
    pair: Pair,
    quotes: Sequence[SourceQuote],
    failures: Mapping[str, MeshError],
    sources: Sources,
    rules: Rules,
    limits: Limits,
    state: State,
    now: float,
) -> Belief:
    """
    Return the price of a feed, or the error that tells why there is none.

    Args:
        pair: The feed's pair.
        quotes: The prices that are fresh now, at most one a source.
        failures: Why the other sources have none, by name, as far as known.
        sources: Which sources the price may be made of.
        rules: When prices agree.
        limits: How far the price may be from the last one.
        state: What is known of the feed's price so far.
        now: The monotonic time in seconds.
    """
    needed = required(len(sources.asked), rules.minimum)
    if len(quotes) < needed or not quotes:
        return Belief(shortage(pair, len(quotes), needed, failures), unheld(state), {})
    found = agree(quotes, rules, lambda price: _is_unit_error(price, state, limits))
    if isinstance(found, Disagreement) or (found.disqualified and len(found.agreeing) < needed):
        said = {quote.source: quote.price for quote in quotes}
        return Belief(
            SourcesDisagree(pair, said, rules.max_spread_bps), unheld(state), dict.fromkeys(said, Verdict.APART)
        )
    left_out = _left_out(found) if len(found.agreeing) < len(quotes) else ()
    verdicts = {quote.source: Verdict.USED for quote in found.agreeing}
    verdicts |= {left.quote.source: left.verdict for left in left_out}
    if len(found.agreeing) < needed:
        return Belief(shortage(pair, len(found.agreeing), needed, failures), unheld(state), verdicts)
    candidate = _candidate(found, sources, rules)
    after, ruling = judge(state, candidate, limits, now)
    majority = candidate.price if candidate.is_majority else None
    if ruling.refusal is not None:
        why = _why(ruling, candidate, limits)
        wait_s = limits.first_hold_s if ruling.refusal is Refusal.FIRST and not candidate.apart else None
        unconfirmed = PriceUnconfirmed(pair, candidate.price, state.anchor, ruling.refusal, why, wait_s)
        return Belief(unconfirmed, after, verdicts, majority)
    return Belief(_quote(pair, found, left_out, sources, candidate), after, verdicts, majority)


def believe_again(
    pair: Pair, quotes: Sequence[SourceQuote], mapped: int, rules: Rules, units: Collection[Decimal]
) -> Quote:
    """
    Return the price that fresh prices of once make, whatever the feed's price was before; nothing is learnt from it.

    Args:
        pair: The feed's pair.
        quotes: The prices, in the feed's own currency.
        mapped: How many sources are configured for the feed.
        rules: When prices agree.
        units: Those of the prices that were found to be in another unit, which only the price before can tell.

    Raises:
        TooFewSources, SourcesDisagree: where the rules give no price.
    """
    needed = required(mapped, rules.minimum)
    if not quotes or len(quotes) < needed:
        raise TooFewSources(pair, len(quotes), needed, {})
    found = agree(quotes, rules, lambda price: price in units)
    if isinstance(found, Disagreement) or (found.disqualified and len(found.agreeing) < needed):
        raise SourcesDisagree(pair, {quote.source: quote.price for quote in quotes}, rules.max_spread_bps)
    if len(found.agreeing) < needed:
        raise TooFewSources(pair, len(found.agreeing), needed, {})
    names = frozenset(quote.source for quote in quotes)
    sources = Sources(names, names)
    return _quote(pair, found, _left_out(found), sources, _candidate(found, sources, rules))


def shortage(pair: Pair, fresh: int, needed: int, failures: Mapping[str, MeshError]) -> MeshError:
    """Return the error for too few prices: the sources' own where all of them failed in the same way."""
    errors = list(failures.values())
    if not fresh and errors:
        if all(isinstance(error, UnknownPair) for error in errors):
            return errors[0] if len(errors) == 1 else UnknownPair(pair)
        waits = [error.retry_after_ms for error in errors if isinstance(error, RateLimited)]
        if len(waits) == len(errors):
            return SourceRateLimited(", ".join(sorted(failures)), min(waits))
        if len(errors) == 1 or all(isinstance(error, DeadlineExceeded) for error in errors):
            return errors[0]
    return TooFewSources(pair, fresh, needed, failures)


def _quote(
    pair: Pair, found: Agreement, left_out: tuple[LeftOut, ...], sources: Sources, candidate: Candidate
) -> Quote:
    notes = (SINGLE_SOURCE,) if candidate.is_single else () if candidate.is_majority else (MINORITY,)
    return Quote(
        pair=pair,
        price=found.price,
        status=QuoteStatus.FRESH if len(found.agreeing) == len(sources.asked) else QuoteStatus.DEGRADED,
        sources=tuple(sorted(found.agreeing, key=lambda quote: quote.source)),
        spread_bps=spread_bps([quote.price for quote in found.agreeing], found.price),
        left_out=left_out,
        notes=notes,
    )


def _left_out(found: Agreement) -> tuple[LeftOut, ...]:
    left = [*(LeftOut(quote, Verdict.OUTLIER) for quote in found.apart), *found.disqualified]
    return tuple(sorted(left, key=lambda each: each.quote.source))


def _candidate(found: Agreement, sources: Sources, rules: Rules) -> Candidate:
    together = frozenset(quote.source for quote in found.together)
    return Candidate(
        price=found.price,
        agreeing=len(together),
        mapped=len(sources.mapped),
        kinds=rules.kinds(together),
        mapped_kinds=rules.kinds(sources.mapped),
        apart=tuple(quote.price for quote in found.apart if quote.source not in together),
        oldest_ms=min(quote.received_ms for quote in found.together),
        newest_ms=max(quote.received_ms for quote in found.together),
    )


def _is_unit_error(price: Decimal, state: State, limits: Limits) -> bool:
    """Tell whether a price looks like the last one in another unit."""
    if state.anchor is None or limits.guard_bps is None:
        return False
    is_near = ratio(price, state.anchor) <= 1 + Decimal(limits.guard_bps) / 10_000
    return not is_near and unit_error(price, state.anchor) is not None


def _why(ruling: Ruling, candidate: Candidate, limits: Limits) -> str:
    said = f"{candidate.agreeing} of {candidate.mapped} sources say so"
    match ruling.refusal:
        case Refusal.UNIT:
            return f"it looks like another unit ({ruling.detail}), {said}"
        case Refusal.RATE:
            return f"the feed has a single source, whose price may move by {limits.rate_bps} basis points a minute"
        case Refusal.FIRST:
            return f"it is the first since the start, {said}"
        case _:
            return f"{said}, and it has not lasted {limits.move_hold_s:g} s"
