"""Prices computed from two prices, in decimal arithmetic of 30 digits; values in, values out."""

from dataclasses import replace

from services.aggregator.prices.median import DIGITS, spread_of
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Quote, QuoteStatus, SourceQuote


def quotient(feed: Pair, numerator: Quote, denominator: Quote) -> Quote:
    """
    Return the price of a feed as one median divided by another.

    Its sources are those of both legs; it is as fresh as the older and degraded if either is. The spread is that of
    the highest and the lowest quotient which the legs' sources allow.
    """
    price = DIGITS.divide(numerator.price, denominator.price)
    above, below = ([used.price for used in leg.sources] for leg in (numerator, denominator))
    highest, lowest = DIGITS.divide(max(above), min(below)), DIGITS.divide(min(above), max(below))
    both_fresh = numerator.status is denominator.status is QuoteStatus.FRESH
    return Quote(
        pair=feed,
        price=price,
        status=QuoteStatus.FRESH if both_fresh else QuoteStatus.DEGRADED,
        sources=numerator.sources + denominator.sources,
        spread_bps=spread_of(highest, lowest, price),
        outliers=numerator.outliers + denominator.outliers,
    )


def converted(quote: SourceQuote, rate: Quote) -> SourceQuote:
    """Return a source's price in a stablecoin as a price in that coin's currency; stale as soon as either is."""
    return replace(
        quote,
        price=DIGITS.multiply(quote.price, rate.price),
        expires_at=min(quote.expires_at, rate.expires_at),
    )
