"""The median over sources, in decimal arithmetic of 30 digits; values in, values out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Context, Decimal

from meshkit.errors import DeadlineExceeded, MeshError, RateLimited
from services.aggregator.prices.errors import SourceRateLimited, SourcesDisagree, TooFewSources, UnknownPair
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Quote, QuoteStatus, Result, SourceQuote

DIGITS = Context(prec=30, rounding=ROUND_HALF_EVEN)
ONE = Decimal(1)
_HUNDREDTH = Decimal("0.01")
# A price's text has 64 digits at most, so the mean of two is exact and lies between them; and the largest price is so
# many times the smallest that hundredths of a basis point between them have forty digits.
_WIDE = Context(prec=100, rounding=ROUND_HALF_EVEN)
# Of a normal distribution, the standard deviation is so many times the median absolute deviation.
_DEVIATIONS_IN_MAD = Decimal("1.4826")
# Two prices have no majority, so neither of them can be told to be the wrong one, or to be worth more.
_FEWEST_WITH_MAJORITY = 3


@dataclass(frozen=True, slots=True)
class Rules:
    """
    Say how prices become one.

    Attributes:
        minimum: How many sources a price needs, fewer only where fewer are mapped.
        outlier_floor_bps: A source this near to the median is never left out, in basis points.
        outlier_factor: Beyond the floor, how many standard deviations from the median a source may be.
        max_spread_bps: How far apart the sources of a price may be, in basis points; None for any distance.
        weights: How much a source counts among three or more, by name; 1 where not given.
    """

    minimum: int = 2
    outlier_floor_bps: int = 200
    outlier_factor: Decimal = Decimal(3)
    max_spread_bps: int | None = 1_000
    weights: Mapping[str, Decimal] = field(default_factory=dict)


def required(mapped: int, minimum: int) -> int:
    """Return how many fresh sources a price needs: `minimum`, or all of them where fewer are mapped to the pair."""
    return min(mapped, minimum)


def median(prices: Sequence[Decimal]) -> Decimal:
    """Return the middle price, or the mean of the two middle ones for an even count; ValueError for none."""
    return weighted_median([(price, ONE) for price in prices])


def weighted_median(prices: Sequence[tuple[Decimal, Decimal]]) -> Decimal:
    """
    Return the price with half of the weight on each side, of prices with positive weights; ValueError for none.

    If the weight up to a price is exactly half, it is the mean of that price and the next one.
    """
    if not prices:
        raise ValueError("no prices")
    ordered = sorted(prices)
    left = DIGITS.divide(sum((weight for _, weight in ordered), Decimal(0)), Decimal(2))
    for index, (price, weight) in enumerate(ordered):
        left -= weight
        if left < 0:
            return price
        if left == 0:
            return _WIDE.divide(_WIDE.add(price, ordered[index + 1][0]), Decimal(2))
    return ordered[-1][0]


def spread_of(highest: Decimal, lowest: Decimal, price: Decimal) -> Decimal:
    """Return the distance of two prices in basis points of a price, to a hundredth of a point."""
    distance = DIGITS.divide(DIGITS.multiply(DIGITS.subtract(highest, lowest), Decimal(10_000)), price)
    return distance.quantize(_HUNDREDTH, context=_WIDE)


def spread_bps(prices: Sequence[Decimal], price: Decimal) -> Decimal:
    """Return highest minus lowest in basis points of the price, to a hundredth of a point."""
    return spread_of(max(prices), min(prices), price)


def divide_outliers(quotes: Sequence[SourceQuote], rules: Rules) -> tuple[list[SourceQuote], list[SourceQuote]]:
    """
    Return the prices that belong together, and those too far from the median.

    Too far is beyond the floor, and beyond `outlier_factor` standard deviations, estimated as 1.4826 times the median
    absolute deviation (Hampel's identifier). Of fewer than three prices, none is left out.
    """
    if len(quotes) < _FEWEST_WITH_MAJORITY:
        return list(quotes), []
    centre = _middle(quotes, rules)
    distances = [
        (DIGITS.abs(DIGITS.subtract(quote.price, centre)), rules.weights.get(quote.source, ONE)) for quote in quotes
    ]
    deviation = DIGITS.multiply(weighted_median(distances), _DEVIATIONS_IN_MAD)
    bound = max(
        DIGITS.multiply(rules.outlier_factor, deviation),
        DIGITS.divide(DIGITS.multiply(centre, Decimal(rules.outlier_floor_bps)), Decimal(10_000)),
    )
    kept = [quote for quote, (distance, _) in zip(quotes, distances, strict=True) if distance <= bound]
    left_out = [quote for quote, (distance, _) in zip(quotes, distances, strict=True) if distance > bound]
    return kept, left_out


def quote_of(
    pair: Pair,
    quotes: Sequence[SourceQuote],
    mapped: int,
    rules: Rules | None = None,
    outliers: Sequence[SourceQuote] = (),
) -> Quote:
    """Return the median of one or more accepted prices; fresh if they are as many as the sources mapped to the pair."""
    price = _middle(quotes, rules or Rules())
    return Quote(
        pair=pair,
        price=price,
        status=QuoteStatus.FRESH if len(quotes) == mapped else QuoteStatus.DEGRADED,
        sources=tuple(sorted(quotes, key=lambda quote: quote.source)),
        spread_bps=spread_bps([quote.price for quote in quotes], price),
        outliers=tuple(sorted(outliers, key=lambda quote: quote.source)),
    )


def aggregate(
    pair: Pair, quotes: Sequence[SourceQuote], failures: Mapping[str, MeshError], *, mapped: int, rules: Rules
) -> Result:
    """
    Return the quote of a pair, or the error that tells why there is none.

    Args:
        pair: The feed's pair.
        quotes: The prices that are fresh now, at most one a source.
        failures: Why the other sources have none, by name, as far as known.
        mapped: How many sources the pair could have.
        rules: How prices become one.
    """
    needed = required(mapped, rules.minimum)
    kept, outliers = divide_outliers(quotes, rules)
    if not kept or len(kept) < needed:
        return shortage(pair, len(kept), needed, failures)
    quote = quote_of(pair, kept, mapped, rules, outliers)
    if rules.max_spread_bps is not None and quote.spread_bps > rules.max_spread_bps:
        return SourcesDisagree(pair, quote.spread_bps, rules.max_spread_bps)
    return quote


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


def _middle(quotes: Sequence[SourceQuote], rules: Rules) -> Decimal:
    if len(quotes) < _FEWEST_WITH_MAJORITY:
        return median([quote.price for quote in quotes])
    return weighted_median([(quote.price, rules.weights.get(quote.source, ONE)) for quote in quotes])
