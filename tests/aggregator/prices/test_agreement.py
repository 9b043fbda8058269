from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.configuration.aggregation import Aggregation
from services.aggregator.prices.agreement import Agreement, Disagreement, Rules, agree
from services.aggregator.prices.quote import SourceQuote
from tests.aggregator.fakes import BTC
from tests.aggregator.prices.making import quotes

ANYTHING = st.one_of(
    st.decimals(min_value=Decimal("1E-15"), max_value=Decimal("9E14"), places=15),
    st.decimals(min_value=Decimal(90), max_value=Decimal(110), places=3),
)
WEIGHTS = st.sampled_from([Decimal("0.1"), Decimal("0.6"), Decimal(1), Decimal(3)])


def agreement(
    *prices: str | Decimal, rules: Rules | None = None, times_ms: Sequence[int | None] | None = None
) -> Agreement:
    """Return what the prices agree on; fail if they do not."""
    found = agree(quotes(*prices, times_ms=times_ms), rules or Rules())
    assert isinstance(found, Agreement)
    return found


def names(found: list[SourceQuote] | tuple[SourceQuote, ...]) -> list[str]:
    """Return the sources in order."""
    return sorted(quote.source for quote in found)


def test_two_bad_exchanges_do_not_beat_two_copies() -> None:
    """Of four sources, the two with more weight are no majority: half of the heads is none."""
    rules = Rules(weights={"s7": Decimal("0.6"), "s6": Decimal("0.6")})

    assert isinstance(agree(quotes("0.001", "0.001", "100000", "100010"), rules), Disagreement)


def test_a_majority_of_heads_with_less_weight_is_none() -> None:
    """Three copies against two exchanges: neither side has both the number and the weight."""
    rules = Rules(weights=dict.fromkeys(("s9", "s8", "s7"), Decimal("0.6")))

    assert isinstance(agree(quotes("100", "100", "100", "90", "90"), rules), Disagreement)


@pytest.mark.parametrize(
    ("prices", "bound_bps", "agrees"),
    [
        (("1", "0.9082"), 50, False),
        (("1", "0.995"), 50, False),
        (("1", "0.9951"), 50, True),
        (("100", "102.1"), 200, False),
        (("100", "102"), 200, True),
        (("1.053", "2.089"), None, True),
    ],
)
def test_two_prices_have_no_mean_over_a_gap(prices: tuple[str, ...], bound_bps: int | None, agrees: bool) -> None:
    """Nobody can tell which of two is wrong; only without a bound their mean is taken."""
    assert agrees is isinstance(agree(quotes(*prices), Rules(max_spread_bps=bound_bps)), Agreement)


def test_a_liar_cannot_deny_the_others_their_price() -> None:
    """A price just outside the spread of the others does not widen it."""
    found = agreement("100", "103", "110")

    assert (Decimal(103), ["s8", "s9"]) == (found.price, names(found.together))


def test_an_outlier_takes_part_in_the_median_and_is_told() -> None:
    """Nothing is removed before the median is taken; what does not agree with it is apart."""
    found = agreement("100", "150", "100.2", "99.9")

    assert (Decimal("100.1"), ["s8"]) == (found.price, names(found.apart))


def test_what_is_near_is_no_outlier() -> None:
    """Within the floor nothing is apart, however well the others agree; beyond it, it is, though within the spread."""
    assert () == agreement("100", "100", "100", "101.9").apart
    assert ["s6"] == names(agreement("100", "100", "100", "102.1").apart)
    assert ["s6", "s7", "s8", "s9"] == names(agreement("100", "100", "100", "102.1").together)


def test_the_older_yields_where_half_disagrees() -> None:
    """By the exchanges' own times two of four are a minute and more behind; the other half agrees."""
    found = agreement("100", "108", "100", "108.1", times_ms=[400_000, 1_000_000, 400_000, 999_000])

    assert (Decimal("108.05"), ["s7", "s9"]) == (found.price, names([left.quote for left in found.disqualified]))


@pytest.mark.parametrize(
    ("prices", "times_ms"),
    [
        (("100", "108", "100", "113"), (400_000, 1_000_000, 400_000, 999_000)),
        (("100", "103", "112", "108", "108"), (400_000, 400_000, 400_000, 1_000_000, 999_000)),
        (("100", "108"), (941_000, 1_000_000)),
    ],
)
def test_the_older_does_not_yield_to_fewer_or_to_those_that_disagree(
    prices: tuple[str, ...], times_ms: tuple[int, ...]
) -> None:
    """The rest is less than half, does not agree itself, or is newer by less than a minute."""
    assert isinstance(agree(quotes(*prices, times_ms=times_ms), Rules(max_spread_bps=200)), Disagreement)


def test_the_older_does_not_yield_where_prices_agree() -> None:
    """An old price that a majority confirms is a quiet market's."""
    found = agreement("100", "108", "100", times_ms=[400_000, 1_000_000, 400_000])

    assert (Decimal(100), ()) == (found.price, found.disqualified)


def test_another_unit_than_the_last_price_yields_to_half() -> None:
    """Two of four are a hundred-millionth of the last price: they are disqualified, three of four would not be."""
    given_quotes = quotes("0.001", "0.001", "100000", "100010")
    found = agree(given_quotes, Rules(), lambda price: price < 1)

    assert isinstance(found, Agreement)
    assert Decimal(100005) == found.price
    three = quotes("0.001", "0.002", "0.003", "100000")
    assert isinstance(agree(three, Rules(), lambda price: price < 1), Disagreement)


def test_a_time_ahead_makes_nobody_older() -> None:
    """Only the time until our own last receipt counts."""
    assert isinstance(agree(quotes("100", "108", times_ms=[990_000, 1_059_000]), Rules()), Disagreement)


def test_a_time_is_needed_to_be_older() -> None:
    """A price without one is as old as its receipt."""
    assert isinstance(agree(quotes("100", "108", times_ms=[None, 1_000_000]), Rules()), Disagreement)


def test_copies_count_less_by_setting() -> None:
    """Two aggregators that repeat each other do not outvote one exchange and a half."""
    rules = Rules(weights={"s9": Decimal("0.5"), "s8": Decimal("0.5")}, max_spread_bps=None)

    assert Decimal(101) == agreement("110", "111", "100", "101", rules=rules).price


def test_two_prices_count_the_same() -> None:
    """Whatever their weights, nobody can tell which of two is wrong, so a lone exchange cannot move the price alone."""
    assert Decimal("100.5") == agreement("100", "101", rules=Rules(weights={"s9": Decimal("0.1")})).price


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
    rules = Rules(weights={quote.source: weight for quote in quotes(*copies, *exchanges)[: len(copies)]})

    assert Decimal(expected) == agreement(*copies, *exchanges, rules=rules).price


def test_kinds_are_those_of_their_own_and_copies() -> None:
    """Exchanges are of one kind, however many."""
    rules = Rules(copies=frozenset({"coingecko", "cryptocompare"}))

    assert [0, 1, 1, 2] == [
        rules.kinds(set(sources))
        for sources in ((), ("kraken", "okx"), ("coingecko", "cryptocompare"), ("kraken", "coingecko"))
    ]


@st.composite
def mixed(draw: st.DrawFn) -> tuple[list[Decimal], list[Decimal], dict[str, Decimal]]:
    """Draw honest prices, fewer lies by number and by weight, and the weights."""
    honest = draw(st.lists(ANYTHING, min_size=1, max_size=7))
    lies = draw(st.lists(ANYTHING, max_size=len(honest) - 1))
    if len(honest) + len(lies) < 3 or not draw(st.booleans()):
        return honest, lies, {}
    drawn = draw(st.lists(WEIGHTS, min_size=len(honest) + len(lies), max_size=len(honest) + len(lies)))
    true, false = sum(drawn[: len(honest)]), sum(drawn[len(honest) :])
    weights = {f"s{9 - i}": weight for i, weight in enumerate(drawn)}
    return (honest, lies, weights) if false < true else (honest, [], {})


@given(mixed(), st.one_of(st.none(), st.integers(1, 2_000)), st.data())
def test_a_minority_of_liars_never_moves_the_price_out_of_the_honest_range(
    drawn: tuple[list[Decimal], list[Decimal], dict[str, Decimal]], bound_bps: int | None, data: st.DataObject
) -> None:
    """
    Any fewer than half of the sources, by number and weight, with any prices and times.

    An answer lies between honest prices; if the others were disqualified, it is within the spread of an honest one.
    """
    honest, lies, weights = drawn
    names = [f"s{9 - i}" for i in range(len(honest) + len(lies))]
    times = st.one_of(st.none(), st.integers(800_000, 1_060_000))
    given_quotes = [
        SourceQuote(name, BTC, price, 1_000_000, 5.0, data.draw(times))
        for name, price in zip(names, [*honest, *lies], strict=True)
    ]
    odd = data.draw(st.sets(st.sampled_from([*honest, *lies])))
    rules = Rules(max_spread_bps=bound_bps, weights=weights)
    found = agree(data.draw(st.permutations(given_quotes)), rules, lambda price: price in odd)
    if isinstance(found, Disagreement):
        return
    if not found.disqualified:
        assert min(honest) <= found.price <= max(honest)
    else:
        assert bound_bps is not None
        reach = found.price * (bound_bps + Decimal("0.01")) / 10_000

        assert any(abs(found.price - price) <= reach for price in honest)


@given(mixed(), st.decimals(min_value=Decimal("1E-3"), max_value=Decimal("1E6"), places=3), st.integers(2, 2_000))
def test_honest_sources_that_agree_always_have_a_price(
    drawn: tuple[list[Decimal], list[Decimal], dict[str, Decimal]], level: Decimal, bound_bps: int
) -> None:
    """Whatever the others say: there is a price, most sources stand behind it, and no honest one yields."""
    noise, lies, weights = drawn
    honest = [level * (1 + round(each % 1, 6) * (bound_bps - 1) / 10_000) for each in noise]
    found = agree(quotes(*honest, *lies), Rules(max_spread_bps=bound_bps, weights=weights))

    assert isinstance(found, Agreement)
    assert min(honest) <= found.price <= max(honest)
    assert len(found.together) * 2 > len(honest) + len(lies)
    assert () == found.disqualified


@given(st.lists(ANYTHING, min_size=1, max_size=9), st.one_of(st.none(), st.integers(1, 2_000)))
def test_nothing_is_lost_and_the_price_is_between_those_that_agree(prices: list[Decimal], bound: int | None) -> None:
    """Every source agrees or is apart; those that are together are a majority around the price, within the spread."""
    found = agree(quotes(*prices), Rules(max_spread_bps=bound))
    if isinstance(found, Disagreement):
        return
    together = [quote.price for quote in found.together]

    assert names(quotes(*prices)) == names((*found.agreeing, *found.apart))
    assert len(together) * 2 > len(prices)
    assert min(together) <= found.price <= max(together)
    assert bound is None or (max(together) - min(together)) * 10_000 <= (bound + Decimal("0.01")) * found.price
