"""Prices computed from two prices, in decimal arithmetic of 30 digits; values in, values out."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from decimal import Decimal

from meshkit.errors import MeshError
from services.aggregator.prices.errors import ConversionMissing
from services.aggregator.prices.median import DIGITS, median, spread_of
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Quote, QuoteStatus, SourceQuote
from services.aggregator.prices.unit_error import ratio


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
        left_out=numerator.left_out + denominator.left_out,
        notes=tuple(dict.fromkeys(numerator.notes + denominator.notes)),
    )


def converted(quote: SourceQuote, rate: Quote) -> SourceQuote:
    """Return a source's price in a stablecoin as a price in that coin's currency; stale as soon as either is."""
    return replace(
        quote,
        price=DIGITS.multiply(quote.price, rate.price),
        expires_at=min(quote.expires_at, rate.expires_at),
    )


def in_currency(
    quotes: Iterable[SourceQuote],
    conversion: Callable[[Pair], Pair | None],
    rate: Callable[[Pair], Quote | None],
    bound_bps: int,
) -> tuple[list[SourceQuote], dict[str, MeshError]]:
    """
    Return the prices in the feed's own currency, and why the others are none.

    A price in a stablecoin is converted by the coin's live price. Without that it is taken as it stands only if it is
    within `bound_bps` basis points of the median of the others, which shows that the coin is worth what it should be.

    Args:
        quotes: The prices as the sources have them.
        conversion: Return the pair that turns a source's pair into the feed's currency, None if nothing has to.
        rate: Return the live price of such a pair, if there is one.
        bound_bps: How far from one the coin may be where its price is not known.
    """
    usable: list[SourceQuote] = []
    unknown: list[tuple[SourceQuote, Pair]] = []
    for quote in quotes:
        pair = conversion(quote.pair)
        live = None if pair is None else rate(pair)
        if pair is None:
            usable.append(quote)
        elif live is not None:
            usable.append(converted(quote, live))
        else:
            unknown.append((quote, pair))
    failures: dict[str, MeshError] = {}
    centre = median([quote.price for quote in usable]) if usable else None
    for quote, pair in unknown:
        if centre is not None and ratio(quote.price, centre) <= 1 + Decimal(bound_bps) / 10_000:
            usable.append(quote)
        else:
            failures[quote.source] = ConversionMissing(quote.source, pair)
    return usable, failures
