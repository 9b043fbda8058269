"""The median over exchanges, in decimal arithmetic of 30 digits; values in, values out."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal

from meshkit.errors import DeadlineExceeded, MeshError, RateLimited
from services.aggregator.errors import SourceRateLimited, TooFewSources, UnknownPair
from services.aggregator.pair import Pair
from services.aggregator.quote import Quote, QuoteStatus, Result, SourceQuote

DIGITS = Context(prec=30, rounding=ROUND_HALF_EVEN)
_HUNDREDTH = Decimal("0.01")


def required(mapped: int, minimum: int) -> int:
    """Return how many fresh sources a price needs: `minimum`, or all of them where fewer are mapped to the pair."""
    return min(mapped, minimum)


def median(prices: Sequence[Decimal]) -> Decimal:
    """Return the middle price, or the mean of the two middle ones for an even count; ValueError for none."""
    if not prices:
        raise ValueError("no prices")
    ordered = sorted(prices)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return DIGITS.divide(DIGITS.add(ordered[middle - 1], ordered[middle]), Decimal(2))


def spread_bps(prices: Sequence[Decimal], price: Decimal) -> Decimal:
    """Return highest minus lowest in basis points of the price, to a hundredth of a point."""
    distance = DIGITS.divide(DIGITS.multiply(DIGITS.subtract(max(prices), min(prices)), Decimal(10_000)), price)
    return distance.quantize(_HUNDREDTH, ROUND_HALF_EVEN)


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


def aggregate(
    pair: Pair, quotes: Sequence[SourceQuote], failures: Mapping[str, MeshError], *, mapped: int, minimum: int
) -> Result:
    """
    Return the quote of a pair, or the error that tells why there is none.

    Args:
        pair: The feed's pair.
        quotes: The prices that are fresh now, at most one a source.
        failures: Why the other sources have none, by name, as far as known.
        mapped: How many sources the pair could have.
        minimum: How many of them a price needs, fewer only where fewer are mapped.
    """
    needed = required(mapped, minimum)
    if quotes and len(quotes) >= needed:
        return quote_of(pair, quotes, mapped)
    return shortage(pair, len(quotes), needed, failures)


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
