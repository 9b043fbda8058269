from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.errors import MeshError
from services.aggregator.prices.agreement import Rules
from services.aggregator.prices.errors import (
    PriceUnconfirmed,
    ProviderFault,
    SourceRateLimited,
    SourcesDisagree,
    SourceTimeout,
    TooFewSources,
    UnknownPair,
)
from services.aggregator.prices.feed_jump_guard import Limits, State
from services.aggregator.prices.feed_price import MINORITY, SINGLE_SOURCE, Belief, Sources, believe, required
from services.aggregator.prices.quote import Quote, QuoteStatus, SourceQuote, Verdict
from services.aggregator.prices.unit_error import unit_error
from tests.aggregator.fakes import BTC
from tests.aggregator.prices.making import quotes

ANY_MOVE = Limits(guard_bps=None)
ANY_SPREAD = Rules(max_spread_bps=None)


def believed(
    given_quotes: Sequence[SourceQuote],
    failures: Mapping[str, MeshError] | None = None,
    *,
    mapped: int,
    rules: Rules = ANY_SPREAD,
    limits: Limits = ANY_MOVE,
    state: State | None = None,
    now: float = 0.0,
) -> Belief:
    """Return what is believed of so many mapped sources, named from s9 downwards."""
    names = frozenset(f"s{9 - i}" for i in range(mapped))
    sources = Sources(names, names)
    return believe(BTC, given_quotes, failures or {}, sources, rules, limits, state or State(), now)


@pytest.mark.parametrize(("mapped", "needed"), [(1, 1), (2, 2), (3, 2), (13, 2)])
def test_a_single_source_is_enough_only_where_there_is_no_other(mapped: int, needed: int) -> None:
    """The minimum of two holds wherever two sources are mapped."""
    assert needed == required(mapped, 2)


def test_all_sources_make_a_fresh_quote() -> None:
    """The quote has the median, the sources by name, and the oldest of their times."""
    quote = believed(quotes("3", "1", "2"), mapped=3).result

    assert isinstance(quote, Quote)
    assert (Decimal(2), QuoteStatus.FRESH, ()) == (quote.price, quote.status, quote.notes)
    assert ["s7", "s8", "s9"] == [used.source for used in quote.sources]
    assert (1_000_000, 5.0) == (quote.received_ms, quote.expires_at)


def test_a_missing_source_makes_a_degraded_quote() -> None:
    """Two of three sources give a price that says so; two of four are a minority, which it says too."""
    three, four = believed(quotes("3", "1"), mapped=3).result, believed(quotes("3", "1"), mapped=4).result

    assert isinstance(three, Quote)
    assert isinstance(four, Quote)
    assert (QuoteStatus.DEGRADED, ()) == (three.status, three.notes)
    assert (QuoteStatus.DEGRADED, (MINORITY,)) == (four.status, four.notes)


def test_a_single_source_says_so() -> None:
    """The quote is fresh, as no source is missing, and has the note."""
    quote = believed(quotes("3"), mapped=1).result

    assert isinstance(quote, Quote)
    assert (QuoteStatus.FRESH, (SINGLE_SOURCE,)) == (quote.status, quote.notes)


def test_too_few_sources_are_an_error() -> None:
    """One of three sources is no price; the error tells how many there were and why."""
    error = believed(quotes("3"), {"a": ProviderFault("a", "down")}, mapped=3).result

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
    error = believed([], {str(i): failure for i, failure in enumerate(failures)}, mapped=2).result

    assert expected is type(error)


def test_the_shortest_wait_is_told() -> None:
    """With all sources limited, the caller hears when the first may be asked again."""
    error = believed([], {"a": SourceRateLimited("a", 5), "b": SourceRateLimited("b", 3)}, mapped=2).result

    assert isinstance(error, SourceRateLimited)
    assert 3 == error.retry_after_ms


def test_an_outlier_is_told_with_its_verdict() -> None:
    """One source far from three that agree is named; the quote is degraded."""
    belief = believed(quotes("100", "150", "100.2", "99.9"), mapped=4, rules=Rules())
    quote = belief.result

    assert isinstance(quote, Quote)
    assert (Decimal("100.1"), QuoteStatus.DEGRADED) == (quote.price, quote.status)
    assert [("s8", Verdict.OUTLIER)] == [(left.quote.source, left.verdict) for left in quote.left_out]
    assert Verdict.OUTLIER is belief.verdicts["s8"]
    assert Verdict.USED is belief.verdicts["s9"]


def test_outliers_do_not_count_as_sources() -> None:
    """If too few are left, there is no price."""
    belief = believed(quotes("100", "100", "150"), mapped=3, rules=Rules(minimum=3))

    assert isinstance(belief.result, TooFewSources)


def test_sources_far_apart_are_no_price() -> None:
    """Nobody can tell which of 1.053 and 2.089 is wrong, so neither they nor their mean is served."""
    error = believed(quotes("1.053", "2.089"), mapped=2, rules=Rules()).result

    assert isinstance(error, SourcesDisagree)
    assert 500 == error.bound_bps
    assert "s8 2.089, s9 1.053" in str(error)
    assert isinstance(believed(quotes("1.053", "2.089"), mapped=2).result, Quote)


def test_the_older_of_two_leaves_one_which_is_no_price() -> None:
    """With one of two configured sources a single fault could make the price."""
    two = quotes("100", "108", times_ms=[400_000, 1_000_000])

    assert isinstance(believed(two, mapped=2, rules=Rules()).result, SourcesDisagree)
    quote = believed(two, mapped=2, rules=Rules(minimum=1)).result

    assert isinstance(quote, Quote)
    assert (Decimal(108), Verdict.OLDER) == (quote.price, quote.left_out[0].verdict)


def test_two_exchanges_in_another_unit_leave_two_copies_in_charge_only_with_a_predecessor() -> None:
    """Against the last price they are disqualified; without one it is two against two."""
    four = quotes("0.001", "0.001", "100000", "100010")
    rules = Rules(weights={"s7": Decimal("0.6"), "s6": Decimal("0.6")}, copies=frozenset({"s6", "s7"}))
    quote = believed(four, mapped=4, rules=rules, limits=Limits(), state=State(Decimal(99_000))).result

    assert isinstance(quote, Quote)
    assert (Decimal(100_005), (MINORITY,)) == (quote.price, quote.notes)
    assert [Verdict.UNIT, Verdict.UNIT] == [left.verdict for left in quote.left_out]
    assert isinstance(believed(four, mapped=4, rules=rules, limits=Limits()).result, SourcesDisagree)


def test_an_unconfirmed_move_says_from_where_to_where_and_why() -> None:
    """The error has the rule, both prices, and how many sources say so."""
    error = believed(quotes("60", "60"), mapped=4, rules=Rules(), limits=Limits(), state=State(Decimal(100))).result

    assert isinstance(error, PriceUnconfirmed)
    assert "jump" == error.rule
    assert "60, after 100: 2 of 4 sources say so" in str(error)


def test_named_sources_alone_are_no_majority_of_all() -> None:
    """Who asks for two of six sources gets their price near the last one, not a leap of theirs."""
    asked, mapped = frozenset({"s9", "s8"}), frozenset(f"s{i}" for i in range(4, 10))
    sources, state = Sources(asked, mapped), State(Decimal(100))
    near, far = (
        believe(BTC, quotes(price, price), {}, sources, Rules(), Limits(), state, 0.0).result for price in ("101", "60")
    )

    assert isinstance(near, Quote)
    assert QuoteStatus.FRESH is near.status
    assert isinstance(far, PriceUnconfirmed)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[int, int, frozenset[str]]:
    """Draw how many sources there are, how many of them lie, and which ones copy."""
    total = draw(st.integers(1, 9))
    copies = draw(st.sets(st.sampled_from([f"s{9 - i}" for i in range(total)])))
    return total, draw(st.integers(0, (total - 1) // 2)), frozenset(copies)


LIES = st.one_of(
    st.sampled_from([Decimal(factor) for factor in ("1E-8", "0.01", "0.5", "0.93", "0.991", "1.009", "1.5", "100")]),
    st.decimals(min_value=Decimal("0.0001"), max_value=Decimal(1000), places=4),
)
# A quiet market, a fall by two fifths within a minute, and anything.
STEPS = st.one_of(
    st.decimals(min_value=Decimal("0.999"), max_value=Decimal("1.001"), places=5),
    st.sampled_from([Decimal("0.6"), Decimal("1.5"), Decimal("0.1"), Decimal(1)]),
)


@given(worlds(), st.data())
def test_liars_never_move_the_answer_out_of_the_honest_range_over_time(
    world: tuple[int, int, frozenset[str]], data: st.DataObject
) -> None:
    """
    Fewer than half of the sources lie, in whatever way and whenever, over any history of the market.

    At each moment some sources are silent, but more honest ones than liars are fresh. An answer is always between the
    honest prices of that moment; and where a majority of the configured sources of every kind is honest, fresh and
    agrees, there is one, unless the market itself leapt by a power of ten.
    """
    total, liars, copies = world
    names = [f"s{9 - i}" for i in range(total)]
    rules, sources = Rules(copies=copies), Sources(frozenset(names), frozenset(names))
    state, truth, now = State(), Decimal(100), 0.0
    for _ in range(data.draw(st.integers(1, 12))):
        now += data.draw(st.sampled_from([0.05, 1.0, 10.0, 61.0, 600.0]))
        truth *= data.draw(STEPS)
        silent = data.draw(st.integers(0, total - 2 * liars - 1))
        honest = names[liars + silent :]
        said = {name: truth * data.draw(LIES) for name in names[:liars] if data.draw(st.booleans())}
        said |= {name: truth * (1 + Decimal(data.draw(st.integers(0, 100))) / 10_000) for name in honest}
        made = [SourceQuote(name, BTC, price, int(now * 1000), now + 5) for name, price in said.items()]
        before = state
        belief = believe(BTC, made, {}, sources, rules, Limits(), state, now)
        state = belief.state
        true = [said[name] for name in honest]
        if isinstance(belief.result, Quote):
            assert min(true) <= belief.result.price <= max(true)
        if total == 1 or len(honest) < 2 or before.anchor is None:
            continue
        is_near = Decimal("0.92") < truth / before.anchor < Decimal("1.08")
        is_whole = len(honest) * 2 > total and rules.kinds(set(honest)) == rules.kinds(set(names))
        is_leap = before.suspect is not None or any(unit_error(price, before.anchor) for price in true)
        if is_near or (is_whole and not is_leap):
            assert isinstance(belief.result, Quote), belief.result


@given(st.integers(2, 9), st.data())
def test_a_crash_goes_through(total: int, data: st.DataObject) -> None:
    """All sources fall by two fifths within a minute, one after the other: the last one's fall makes it the price."""
    names = [f"s{9 - i}" for i in range(total)]
    rules = Rules(copies=frozenset(data.draw(st.sets(st.sampled_from(names)))))
    sources, limits, state = Sources(frozenset(names), frozenset(names)), Limits(), State()
    prices = dict.fromkeys(names, Decimal(100))
    result = None
    for second, name in enumerate([names[0], *data.draw(st.permutations(names))]):
        if second:
            prices[name] = Decimal(60)
        now = second * 60 / total
        made = [SourceQuote(each, BTC, price, int(now * 1000), now + 5) for each, price in prices.items()]
        belief = believe(BTC, made, {}, sources, rules, limits, state, now)
        state, result = belief.state, belief.result
        fallen = sum(price == 60 for price in prices.values())
        # Half of the sources at each price is no majority of either.
        assert isinstance(result, Quote | SourcesDisagree | PriceUnconfirmed)
        if isinstance(result, Quote):
            assert (60 if fallen * 2 > total else 100) == result.price

    assert isinstance(result, Quote)
    assert Decimal(60) == result.price


def test_the_feed_follows_again_after_anything() -> None:
    """A minority's leap that was believed for lack of others ends with the first majority that says otherwise."""
    state = State(Decimal(100))
    for now in (0.0, 61.0):
        heard = [replace(quote, received_ms=int(now * 1000)) for quote in quotes("60", "60")]
        belief = believed(heard, mapped=6, rules=Rules(), limits=Limits(), state=state, now=now)
        state = belief.state

    assert isinstance(belief.result, Quote)
    assert Decimal(60) == belief.result.price
    back = believed(quotes(*["100"] * 4, "60", "60"), mapped=6, rules=Rules(), limits=Limits(), state=state, now=62.0)

    assert isinstance(back.result, Quote)
    assert Decimal(100) == back.result.price
