from decimal import Decimal, localcontext
from statistics import median as reference_median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.configuration.aggregation import Aggregation
from meshkit.errors import MeshError
from services.aggregator.prices.errors import (
    ProviderFault,
    SourceRateLimited,
    SourcesDisagree,
    SourceTimeout,
    TooFewSources,
    UnknownPair,
)
from services.aggregator.prices.median import (
    Rules,
    aggregate,
    divide_outliers,
    median,
    required,
    spread_bps,
    weighted_median,
)
from services.aggregator.prices.quote import Quote, QuoteStatus, SourceQuote
from tests.aggregator.fakes import BTC

PRICES = st.lists(st.decimals(min_value=Decimal("1E-12"), max_value=Decimal("1E9"), places=12), min_size=1, max_size=13)


def quotes(*prices: str) -> list[SourceQuote]:
    """Return accepted prices of sources named in falling order, so that sorting them shows."""
    return [SourceQuote(f"s{9 - i}", BTC, Decimal(price), 1000 + i, 5.0 + i) for i, price in enumerate(prices)]


@given(PRICES)
def test_median_agrees_with_the_definition(prices: list[Decimal]) -> None:
    """It is the middle price, or the mean of the two middle ones."""
    with localcontext(prec=60):
        expected = reference_median(prices)

    assert abs(expected - median(prices)) <= expected * Decimal("1E-29")


@given(PRICES, st.randoms(use_true_random=False))
def test_median_ignores_the_order(prices: list[Decimal], random: "object") -> None:
    """Any order of the same prices has the same median."""
    shuffled = sorted(prices, key=lambda _: random.random())  # type: ignore[attr-defined]

    assert median(prices) == median(shuffled)


@given(PRICES)
def test_a_minority_of_liars_stays_between_honest_prices(honest: list[Decimal]) -> None:
    """Fewer liars than honest sources cannot move the median out of the honest range."""
    liars = [Decimal("1E15")] * (len(honest) - 1)

    assert min(honest) <= median([*honest, *liars]) <= max(honest)


def test_the_mean_of_two_keeps_all_digits() -> None:
    """An even count keeps digits that the default context of 28 would lose, so the mean of two equal ones is theirs."""
    long = Decimal("764167697797790.5732400321650673")

    assert long == median([long, long])

    low, high = Decimal("1000000000.12345678901234567890"), Decimal("1000000000.12345678901234567892")

    assert Decimal("1000000000.12345678901234567891") == median([low, high])


def test_no_prices_have_no_median() -> None:
    """An empty list is a ValueError."""
    with pytest.raises(ValueError, match="no prices"):
        median([])


def test_spread_is_in_basis_points() -> None:
    """101 against 100 with a price of 100.5 is 99.5 basis points."""
    assert Decimal("99.50") == spread_bps([Decimal(101), Decimal(100)], Decimal("100.5"))


def test_the_largest_spread_is_no_error() -> None:
    """From the smallest price to the largest there are forty digits of hundredths of a basis point."""
    spread = spread_bps([Decimal("1E15"), Decimal("1E-18")], Decimal("1E-18"))

    assert Decimal("1E37") == spread + 10_000


@pytest.mark.parametrize(("mapped", "needed"), [(1, 1), (2, 2), (3, 2), (13, 2)])
def test_a_single_source_is_enough_only_where_there_is_no_other(mapped: int, needed: int) -> None:
    """The minimum of two holds wherever two sources are mapped."""
    assert needed == required(mapped, 2)


def test_all_sources_make_a_fresh_quote() -> None:
    """The quote has the median, the sources by name, and the oldest of their times."""
    quote = aggregate(BTC, quotes("3", "1", "2"), {}, mapped=3, rules=Rules(max_spread_bps=None))

    assert isinstance(quote, Quote)
    assert (Decimal(2), QuoteStatus.FRESH) == (quote.price, quote.status)
    assert ["s7", "s8", "s9"] == [used.source for used in quote.sources]
    assert (1000, 5.0) == (quote.received_ms, quote.expires_at)


def test_a_missing_source_makes_a_degraded_quote() -> None:
    """Two of three sources give a price that says so."""
    quote = aggregate(BTC, quotes("3", "1"), {}, mapped=3, rules=Rules(max_spread_bps=None))

    assert isinstance(quote, Quote)
    assert QuoteStatus.DEGRADED is quote.status


def test_too_few_sources_are_an_error() -> None:
    """One of three sources is no price; the error tells how many there were and why."""
    error = aggregate(BTC, quotes("3"), {"a": ProviderFault("a", "down")}, mapped=3, rules=Rules(max_spread_bps=None))

    assert isinstance(error, TooFewSources)
    assert (1, 2) == (error.fresh, error.required)
    assert "a: down" in str(error)


@pytest.mark.parametrize(
    ("failures", "expected"),
    [
        ([UnknownPair(BTC, "a"), UnknownPair(BTC, "b")], UnknownPair),
        ([SourceRateLimited("a", 5), SourceRateLimited("b", 3)], SourceRateLimited),
        ([SourceTimeout("a", 5), SourceTimeout("b", 5)], SourceTimeout),
        ([SourceTimeout("a", 5), UnknownPair(BTC, "b")], TooFewSources),
        ([ProviderFault("a", "x")], ProviderFault),
        ([], TooFewSources),
    ],
)
def test_equal_failures_are_told_as_what_they_are(failures: list[MeshError], expected: type[MeshError]) -> None:
    """Only if all sources failed in one way, that way is the error; a limit is never taken for an unknown pair."""
    error = aggregate(
        BTC, [], {str(i): failure for i, failure in enumerate(failures)}, mapped=2, rules=Rules(max_spread_bps=None)
    )

    assert expected is type(error)


def test_the_shortest_wait_is_told() -> None:
    """With all sources limited, the caller hears when the first may be asked again."""
    failures = {"a": SourceRateLimited("a", 5), "b": SourceRateLimited("b", 3)}
    error = aggregate(BTC, [], failures, mapped=2, rules=Rules(max_spread_bps=None))

    assert isinstance(error, SourceRateLimited)
    assert 3 == error.retry_after_ms


WEIGHTED = st.lists(
    st.tuples(
        st.decimals(min_value=Decimal("0.01"), max_value=Decimal(1000), places=2),
        st.integers(1, 6),
    ),
    min_size=1,
    max_size=8,
)


@given(WEIGHTED)
def test_a_weight_is_a_number_of_copies(weighted: list[tuple[Decimal, int]]) -> None:
    """A price of weight n counts as n sources of that price would."""
    copies = [price for price, weight in weighted for _ in range(weight)]

    assert median(copies) == weighted_median([(price, Decimal(weight)) for price, weight in weighted])


def test_copies_count_less_by_setting() -> None:
    """Two aggregators that repeat each other do not outvote one exchange and a half."""
    rules = Rules(weights={"s9": Decimal("0.5"), "s8": Decimal("0.5")}, max_spread_bps=None, outlier_floor_bps=10_000)
    quote = aggregate(BTC, quotes("110", "111", "100", "101"), {}, mapped=4, rules=rules)

    assert isinstance(quote, Quote)
    assert Decimal(101) == quote.price


def test_two_prices_count_the_same() -> None:
    """Whatever their weights, nobody can tell which of two is wrong, so a lone exchange cannot move the price alone."""
    rules = Rules(weights={"s9": Decimal("0.1")})
    quote = aggregate(BTC, quotes("100", "101"), {}, mapped=2, rules=rules)

    assert isinstance(quote, Quote)
    assert Decimal("100.5") == quote.price


@pytest.mark.parametrize(
    ("exchanges", "copies", "expected"),
    [
        (["100"], ["101", "101.1"], "101"),
        (["100", "100.2"], ["101", "101.1"], "100.2"),
        (["100", "100.2", "100.3"], ["101", "101.1", "101.2"], "100.3"),
    ],
)
def test_as_many_exchanges_outweigh_copies(exchanges: list[str], copies: list[str], expected: str) -> None:
    """With the weight that copies have by default, two of them outweigh one exchange, but no equal number does."""
    weight = Decimal(str(Aggregation().copy_weight))
    given_quotes = quotes(*copies, *exchanges)
    rules = Rules(weights={quote.source: weight for quote in given_quotes[: len(copies)]})
    quote = aggregate(BTC, given_quotes, {}, mapped=len(given_quotes), rules=rules)

    assert isinstance(quote, Quote)
    assert Decimal(expected) == quote.price


def test_an_outlier_is_left_out_and_told() -> None:
    """One source far from three that agree takes no part in the median; the quote is degraded and names it."""
    quote = aggregate(BTC, quotes("100", "150", "100.2", "99.9"), {}, mapped=4, rules=Rules())

    assert isinstance(quote, Quote)
    assert (Decimal(100), QuoteStatus.DEGRADED) == (quote.price, quote.status)
    assert ["s8"] == [left.source for left in quote.outliers]


def test_what_is_near_is_no_outlier() -> None:
    """Within the floor nothing is left out, however well the others agree."""
    quote = aggregate(BTC, quotes("100", "100", "100", "101.9"), {}, mapped=4, rules=Rules())

    assert isinstance(quote, Quote)
    assert () == quote.outliers


def test_outliers_do_not_count_as_sources() -> None:
    """If too few are left, there is no price."""
    rules = Rules(minimum=3)

    assert isinstance(aggregate(BTC, quotes("100", "100", "150"), {}, mapped=3, rules=rules), TooFewSources)


def test_two_sources_far_apart_are_no_price() -> None:
    """Nobody can tell which of 1.053 and 2.089 is wrong, so neither they nor their mean is served."""
    error = aggregate(BTC, quotes("1.053", "2.089"), {}, mapped=2, rules=Rules())

    assert isinstance(error, SourcesDisagree)
    assert 1_000 == error.bound_bps
    assert isinstance(aggregate(BTC, quotes("1.053", "2.089"), {}, mapped=2, rules=Rules(max_spread_bps=None)), Quote)


@given(st.lists(st.decimals(min_value=Decimal(1), max_value=Decimal(1000), places=2), min_size=1, max_size=13))
def test_outliers_are_a_minority(prices: list[Decimal]) -> None:
    """At most half of the sources are left out, those kept are the ones nearest to the median, and nothing is lost."""
    given_quotes = quotes(*(str(price) for price in prices))
    kept, left_out = divide_outliers(given_quotes, Rules())
    centre = median(prices)

    assert len(left_out) * 2 <= len(prices)
    assert {id(quote) for quote in given_quotes} == {id(quote) for quote in (*kept, *left_out)}
    assert all(abs(near.price - centre) < abs(far.price - centre) for near in kept for far in left_out)
