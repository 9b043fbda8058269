"""
Whether enough sources agree on a price; values in, values out.

The price is the weighted median of all fresh prices: nothing is removed before it is taken, so no removal can leave a
minority in charge, and as long as fewer than half of the sources (by number and by weight) are wrong, it lies between
prices of right ones. It counts only if a majority, by number and by weight, lies so near together around it as honest
prices do. Where there is no such majority, half of the sources is enough if all others are disqualified: clearly older
than the newest, or in another unit than the last price.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from decimal import Decimal

from services.aggregator.prices.median import DIGITS, ONE, spread_of, weighted_median
from services.aggregator.prices.quote import LeftOut, SourceQuote, Verdict

# Of a normal distribution, the standard deviation is so many times the median absolute deviation.
_DEVIATIONS_IN_MAD = Decimal("1.4826")
# Two prices have no majority, so neither of them can be told to be the wrong one, or to be worth more.
_FEWEST_WITH_MAJORITY = 3

Weighed = tuple[SourceQuote, Decimal]


@dataclass(frozen=True, slots=True)
class Rules:
    """
    Say when prices agree.

    Attributes:
        minimum: How many agreeing sources a price needs, fewer only where fewer are mapped.
        max_spread_bps: How far apart agreeing prices may be, in basis points; None for any distance.
        outlier_floor_bps: A source this near to the price always counts as agreeing, within the spread.
        outlier_factor: Beyond the floor, how many standard deviations from the price it may be.
        older_ms: By how much a price has to be older than the newest to yield where prices disagree.
        weights: How much a source counts among three or more, by name; 1 where not given.
        copies: The names of the sources whose prices are made of those of others.
    """

    minimum: int = 2
    max_spread_bps: int | None = 500
    outlier_floor_bps: int = 200
    outlier_factor: Decimal = Decimal(3)
    older_ms: int = 60_000
    weights: Mapping[str, Decimal] = field(default_factory=dict)
    copies: AbstractSet[str] = frozenset()

    def kinds(self, sources: AbstractSet[str]) -> int:
        """Return of how many kinds the sources are: those with prices of their own, and those that copy."""
        return bool(sources - self.copies) + bool(sources & self.copies)


@dataclass(frozen=True, slots=True)
class Agreement:
    """
    Hold a price that enough sources agree on.

    Attributes:
        together: The prices within the allowed spread of each other, around the price.
        agreeing: Those of them that are no outliers.
        apart: The other prices it was made of.
        disqualified: Prices that took no part, each with the reason.
    """

    price: Decimal
    together: tuple[SourceQuote, ...]
    agreeing: tuple[SourceQuote, ...]
    apart: tuple[SourceQuote, ...]
    disqualified: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Tell that too few agree, and how far apart the prices are in basis points of their median."""

    spread_bps: Decimal


def agree(
    quotes: Sequence[SourceQuote], rules: Rules, is_unit_error: Callable[[Decimal], bool] = lambda _price: False
) -> Agreement | Disagreement:
    """
    Return what one or more fresh prices agree on; ValueError for none.

    Args:
        quotes: The prices, at most one a source.
        rules: When they agree.
        is_unit_error: Tell whether a price looks like the last one in another unit.
    """
    found = _majority(quotes, rules)
    if isinstance(found, Agreement):
        return found
    out = [LeftOut(quote, Verdict.UNIT) for quote in quotes if is_unit_error(quote.price)]
    rest = [quote for quote in quotes if quote not in [left.quote for left in out]]
    older = _older(rest, rules.older_ms)
    out += [LeftOut(quote, Verdict.OLDER) for quote in older]
    rest = [quote for quote in rest if quote not in older]
    if not out or len(rest) * 2 < len(quotes):
        return found
    again = _majority(rest, rules)
    if isinstance(again, Agreement) and len(again.together) == len(rest):
        return replace(again, disqualified=tuple(out))
    return found


def _majority(quotes: Sequence[SourceQuote], rules: Rules) -> Agreement | Disagreement:
    weighed = sorted(_weighed(quotes, rules), key=_price)
    price = weighted_median([(quote.price, weight) for quote, weight in weighed])
    spread = spread_of(weighed[-1][0].price, weighed[0][0].price, price)
    if rules.max_spread_bps is None or spread <= rules.max_spread_bps:
        together: Sequence[Weighed] = weighed
    else:
        total = _weight(weighed)
        together = max(
            _groups(weighed, price, rules.max_spread_bps),
            key=lambda group: (_is_majority(group, len(quotes), total), len(group), _weight(group)),
            default=(),
        )
        if not _is_majority(together, len(quotes), total):
            return Disagreement(spread)
    members = tuple(quote for quote, _ in together)
    if len(members) == len(quotes) and spread <= rules.outlier_floor_bps:
        return Agreement(price, members, members, ())
    far = _outliers(weighed, price, rules)
    agreeing = tuple(quote for quote in members if quote.source not in far) or members
    names = {quote.source for quote in agreeing}
    return Agreement(price, members, agreeing, tuple(quote for quote in quotes if quote.source not in names))


def _price(weighed: Weighed) -> Decimal:
    return weighed[0].price


def _weighed(quotes: Sequence[SourceQuote], rules: Rules) -> Sequence[Weighed]:
    weights = rules.weights if len(quotes) >= _FEWEST_WITH_MAJORITY else {}
    return [(quote, weights.get(quote.source, ONE)) for quote in quotes]


def _weight(weighed: Sequence[Weighed]) -> Decimal:
    return sum((weight for _, weight in weighed), Decimal(0))


def _is_majority(group: Sequence[Weighed], heads: int, total: Decimal) -> bool:
    return len(group) * 2 > heads and _weight(group) * 2 > total


def _groups(ordered: Sequence[Weighed], price: Decimal, bound_bps: int) -> Iterator[Sequence[Weighed]]:
    """Yield the largest groups of ordered prices that have the price between them and are as near as allowed."""
    prices = [quote.price for quote, _ in ordered]
    for first, lowest in enumerate(prices):
        near = [each for each in prices[first:] if spread_of(each, lowest, price) <= bound_bps]
        if lowest <= price <= near[-1]:
            yield ordered[first : first + len(near)]


def _outliers(weighed: Sequence[Weighed], price: Decimal, rules: Rules) -> set[str]:
    """
    Return the sources that are too far from a price, of three prices or more.

    Too far is beyond the floor, and beyond `outlier_factor` standard deviations, estimated as 1.4826 times the median
    absolute deviation (Hampel's identifier).
    """
    if len(weighed) < _FEWEST_WITH_MAJORITY:
        return set()
    distances = [(DIGITS.abs(DIGITS.subtract(quote.price, price)), weight) for quote, weight in weighed]
    deviation = DIGITS.multiply(weighted_median(distances), _DEVIATIONS_IN_MAD)
    floor = DIGITS.divide(DIGITS.multiply(price, Decimal(rules.outlier_floor_bps)), Decimal(10_000))
    bound = max(DIGITS.multiply(rules.outlier_factor, deviation), floor)
    return {quote.source for (quote, _), (distance, _) in zip(weighed, distances, strict=True) if distance > bound}


def _older(quotes: Sequence[SourceQuote], older_ms: int) -> list[SourceQuote]:
    """Return the prices that are clearly older than the newest by their sources' own times."""
    # A time ahead of our clock makes no other price older than it is.
    newest_ms = min(
        max((quote.exchange_time_ms or quote.received_ms for quote in quotes), default=0),
        max((quote.received_ms for quote in quotes), default=0),
    )
    return [
        quote
        for quote in quotes
        if quote.exchange_time_ms is not None and quote.exchange_time_ms < newest_ms - older_ms
    ]
