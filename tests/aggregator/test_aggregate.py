from decimal import Decimal, localcontext
from statistics import median as reference_median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.errors import MeshError
from services.aggregator.aggregate import Rules, aggregate, median, required, spread_bps
from services.aggregator.errors import (
    ProviderFault,
    SourceRateLimited,
    SourceTimeout,
    TooFewSources,
    UnknownPair,
)
from services.aggregator.quote import Quote, QuoteStatus, SourceQuote
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


def test_the_mean_of_two_has_thirty_digits() -> None:
    """An even count keeps digits that the default context of 28 would lose."""
    low, high = Decimal("1000000000.12345678901234567890"), Decimal("1000000000.12345678901234567892")

    assert Decimal("1000000000.12345678901234567891") == median([low, high])


def test_no_prices_have_no_median() -> None:
    """An empty list is a ValueError."""
    with pytest.raises(ValueError, match="no prices"):
        median([])


def test_spread_is_in_basis_points() -> None:
    """101 against 100 with a price of 100.5 is 99.5 basis points."""
    assert Decimal("99.50") == spread_bps([Decimal(101), Decimal(100)], Decimal("100.5"))


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
