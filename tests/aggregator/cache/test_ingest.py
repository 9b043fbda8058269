"""What sources and streams say, on its way into the cache and to the current quotes."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from meshkit.clock import ManualClock
from services.aggregator.prices.agreement import Rules
from services.aggregator.prices.errors import MalformedAnswer, OwnClockOff, PriceRefused, ProviderFault, UnknownPair
from services.aggregator.prices.feed_jump_guard import Limits, State
from services.aggregator.prices.feed_price import Sources, believe
from services.aggregator.prices.quote import Quote, SourceOutcome, SourceQuote
from services.aggregator.sources.source import ExchangeTime
from tests.aggregator.cache.making import START_MS, MadeCache
from tests.aggregator.fakes import BTC, ETH, NAMES, settings

DOWN = ProviderFault("kraken", "down")


def test_an_accepted_answer_is_cached_and_makes_the_current_quote() -> None:
    """With the second price there is a median, and with each further one another."""
    made = MadeCache()
    made.pin(BTC)
    seen = []
    for source, price in zip(NAMES, ("100", "101", "103"), strict=True):
        made.fetched(source, price)
        seen.append((made.cached(source), made.current()))

    assert [("100", None), ("101", "100.5"), ("103", "101")] == seen


def test_streamed_prices_are_cached_at_once_and_their_feeds_renewed_in_steps() -> None:
    """After a turn so many feeds are renewed at a time, each once for all of its prices, until none is left."""
    made = MadeCache()
    made.pin(BTC, ETH)
    for source in NAMES:
        made.streamed(source, "100", BTC)
        made.streamed(source, "5", ETH)

    assert ("100", "5", None, None) == (
        made.cached("kraken"),
        made.cached("kraken", ETH),
        made.current(),
        made.current(ETH),
    )
    assert made.cache.streamed_feeds.renew(1)
    assert ("100", None) == (made.current(BTC), made.current(ETH))
    assert not made.cache.streamed_feeds.renew(1)
    assert ("100", "5") == (made.current(BTC), made.current(ETH))
    assert 2 == made.cache.current.version


def test_what_nobody_wants_any_more_is_not_kept() -> None:
    """A pair that was forgotten while it was fetched has its outcome for who waits; a stream's price is dropped."""
    made = MadeCache()
    outcome = made.fetched("kraken", "100")
    made.streamed("kraken", "101")

    assert isinstance(outcome, SourceQuote)
    assert (None, 0) == (made.cached("kraken"), len(made.cache.registry))


@pytest.mark.parametrize(("pinned", "registered"), [(False, 0), (True, 1)])
def test_an_unknown_pair_is_forgotten_unless_it_is_configured(pinned: bool, registered: int) -> None:
    """A pair that the source does not have leaves the registry, but for one of a configured feed."""
    made = MadeCache(settings("kraken"))
    made.cache.registry.touch("kraken", BTC).pinned = pinned
    made.fetched("kraken", "100")
    made.fetched("kraken", UnknownPair(BTC, "kraken"))

    assert registered == len(made.cache.registry)
    assert ("100" if pinned else None) == made.cached("kraken")


def test_an_answer_without_the_pair_is_malformed() -> None:
    """Silence about one pair of a batch is no price and no unknown pair."""
    made = MadeCache()
    made.pin(BTC)
    cache, clock = made.cache, made.clock
    outcome = cache.ingest.fetched(cache.fetchers["kraken"], BTC, None, clock.time_ms(), clock.monotonic())

    assert isinstance(outcome, MalformedAnswer)
    assert outcome is cache.failures.error("kraken", BTC)


@pytest.mark.parametrize(("retries", "due"), [(True, True), (False, False)])
def test_a_failure_has_the_pair_fetched_again_where_that_is_set(retries: bool, due: bool) -> None:
    """The next refresh is when the failure says, or never."""
    made = MadeCache(settings("kraken", retries=retries))
    made.cache.registry.touch("kraken", BTC)
    made.fetched("kraken", DOWN)
    failure = made.cache.failures.last("kraken", BTC)

    assert failure is not None
    assert (failure.next_at if due else None) == made.cache.refresher.step()


def test_a_price_that_came_too_late_does_not_put_off_the_refresh() -> None:
    """An older price than the one that is served leaves its refresh where it would have been at the latest."""
    made = MadeCache(settings("kraken"))
    made.pin(BTC)
    made.fetched("kraken", "100", age_ms=0)
    made.clock.advance(5)
    made.fetched("kraken", "99", age_ms=6_000)

    assert "100" == made.cached("kraken")
    assert made.cache.refresher.step() == 10.0


@pytest.mark.parametrize("price", ["0", "NaN", "-1", None])
def test_a_refused_price_of_a_stream_changes_nothing_and_is_told_once(price: object) -> None:
    """It is neither kept nor a failure of the source; the log has one line for a row of them."""
    made = MadeCache(settings("kraken"))
    made.pin(BTC)
    made.streamed("kraken", "100")
    with capture_logs() as logs:
        for _ in range(3):
            made.streamed("kraken", price)
        made.streamed("kraken", "101")
        made.streamed("kraken", price)

    assert ["stream_price_refused"] * 2 == [event["event"] for event in logs]
    assert "101" == made.cached("kraken")
    assert made.cache.failures.error("kraken", BTC) is None
    assert made.refused("kraken", "number") or made.refused("kraken", "range")


def test_a_jump_passes_with_a_majority_and_not_by_repetition() -> None:
    """A price far from the last one is doubted however often it is said; with the second source both are believed."""
    made = MadeCache(settings(jump_guard_bps=1_000, max_spread_bps=500))
    made.pin(BTC)
    for source in NAMES:
        made.fetched(source, "100")
    for _ in range(5):
        made.clock.advance(1)

        assert isinstance(made.fetched("kraken", "150"), PriceRefused)
        assert "100" == made.current()

    assert isinstance(made.fetched("binance", "150.5"), SourceQuote)
    assert ("150.5", "150", "150") == (made.cached("binance"), made.cached("kraken"), made.current())


def test_a_source_that_a_majority_contradicts_is_doubted_though_it_was_first() -> None:
    """Its first price had nobody beside it; when two others agree on another one, it is not served any more."""
    made = MadeCache(settings(jump_guard_bps=1_000, max_spread_bps=500))
    made.pin(BTC)

    assert isinstance(made.fetched("kraken", "700"), SourceQuote)

    for source in ("binance", "coinbase"):
        made.fetched(source, "100")

    assert (None, "100", "100") == (made.cached("kraken"), made.cached("binance"), made.current())
    assert isinstance(made.fetched("kraken", "700"), PriceRefused)
    assert isinstance(made.fetched("kraken", "100"), SourceQuote)


def test_two_first_prices_that_contradict_each_other_are_both_doubted() -> None:
    """Nobody can tell which is wrong, so neither is served by its own source's route."""
    made = MadeCache(settings("binance", "kraken", jump_guard_bps=1_000, max_spread_bps=500))
    made.pin(BTC)
    made.fetched("kraken", "10000")
    outcome = made.fetched("binance", "100")

    assert isinstance(outcome, PriceRefused)
    assert ("first", None, None, None) == (
        outcome.rule,
        made.cached("kraken"),
        made.cached("binance"),
        made.current(),
    )


def test_a_first_price_that_has_to_last_is_asked_for_again_then() -> None:
    """It is kept for two seconds, fetched again when they are over, and believed if it is said again."""
    made = MadeCache(settings("kraken", jump_guard_bps=1_000))
    made.pin(BTC)
    made.fetched("kraken", "100")

    assert (None, 2.0) == (made.current(), made.cache.refresher.step())

    made.clock.advance(2)
    made.fetched("kraken", "100.1")

    assert "100.1" == made.current()


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(("fetched", "streamed")),
            st.sampled_from(NAMES),
            st.sampled_from(("100", "101", "150", "0", "NaN")),
            st.sampled_from((None, 0, 500, 5_000)),
        ),
        st.floats(0.001, 11).map(lambda seconds: ("wait", seconds)),
    ),
    max_size=40,
)


@given(STEPS)
def test_the_current_quote_is_always_that_of_the_cached_prices(steps: list[tuple[object, ...]]) -> None:
    """Whatever comes, and whatever expires, once all is settled the feed's quote is what its fresh prices make."""
    made = MadeCache(replace(settings(), refetch=False, max_spread_bps=1_000))
    made.pin(BTC)
    sources, rules, limits = Sources(frozenset(NAMES), frozenset(NAMES)), Rules(max_spread_bps=1_000), Limits(None)
    for step in steps:
        match step:
            case ("wait", float() as seconds):
                made.clock.advance(seconds)
            case ("fetched", str() as source, price, age_ms):
                made.fetched(source, price, age_ms=age_ms)  # type: ignore[arg-type]
            case (_, source, price, age_ms):
                made.streamed(source, price, age_ms=age_ms)  # type: ignore[arg-type]
        while made.cache.streamed_feeds.renew(1):
            pass
        made.cache.refresher.step()
        fresh = [quote for name in NAMES if (quote := made.cache.quotes.get(name, BTC)) is not None]
        expected = believe(BTC, fresh, {}, sources, rules, limits, State(), 0.0).result
        found = made.cache.feed_quotes.fresh(BTC)
        if isinstance(expected, Quote):
            assert isinstance(found, Quote)
            # Who was left out has no say, and its end is none of the quote's.
            assert replace(expected, left_out=()) == replace(found, left_out=())
        else:
            assert not isinstance(found, Quote) or found.expires_at > made.clock.monotonic()


LIARS, HONEST = ("binance", "coinbase"), ("kraken", "okx", "bybit")
TOLD = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(("fetched", "streamed")),
            st.sampled_from((*LIARS, *HONEST)),
            st.sampled_from(("1E-8", "0.01", "0.6", "0.95", "0.98", "1.02", "1.05", "1.5", "100")),
        ),
        st.sampled_from((0.1, 1.0, 2.5, 11.0)).map(lambda seconds: ("wait", seconds)),
        st.sampled_from(("0.6", "0.985", "1.01", "1.5")).map(lambda factor: ("move", factor)),
    ),
    min_size=1,
    max_size=60,
)


@given(TOLD)
def test_two_liars_of_five_never_move_the_current_quote_out_of_what_honest_sources_said(
    steps: list[tuple[object, ...]],
) -> None:
    """
    Over any history, whatever is fetched, streamed, doubted, expired or withdrawn on the way.

    A quote in place lies between prices that honest sources said within their time to live, as long as these were more
    than the liars when it was made.
    """
    names = (*LIARS, *HONEST)
    rules = {"max_spread_bps": 500, "jump_guard_bps": 1_000, "first_price_hold_ms": 0}
    made = MadeCache(settings(*names, refetch=False, **rules))
    made.pin(BTC)
    truth, said = Decimal(100), []
    for step in steps:
        match step:
            case ("wait", float() as seconds):
                made.clock.advance(seconds)
            case ("move", str() as factor):
                truth = (truth * Decimal(factor)).quantize(Decimal("1E-9"))
                if truth <= 0:
                    return
            case (str() as way, str() as source, str() as lie):
                price = truth if source in HONEST else truth * Decimal(lie)
                tell = made.fetched if way == "fetched" else made.streamed
                # The honest ones are all asked when one is, as a batch of each comes at about the same time.
                for honest in HONEST if source in HONEST else ():
                    tell(honest, truth)
                    said.append((made.clock.monotonic(), truth))
                if source in LIARS:
                    tell(source, price)
        while made.cache.streamed_feeds.renew(1):
            pass
        made.cache.refresher.step()
        fresh = [price for moment, price in said if made.clock.monotonic() - moment < 10]
        current = made.cache.feed_quotes.fresh(BTC)
        if isinstance(current, Quote) and fresh:
            assert min(fresh) <= current.price <= max(fresh), (steps, current)


def test_all_of_a_few_liars_are_believed_where_nobody_else_is_left() -> None:
    """What the fault model leaves out: three of five are silent, two that agree are believed near the last price."""
    made = MadeCache(settings(*LIARS, *HONEST, refetch=False, max_spread_bps=500, jump_guard_bps=1_000))
    made.pin(BTC)
    for source in (*LIARS, *HONEST):
        made.fetched(source, "100")
    made.clock.advance(11)
    for price, expected in (("108", "108"), ("60", "PRICE_UNCONFIRMED")):
        made.clock.advance(1)
        for source in LIARS:
            made.fetched(source, price)
        made.cache.feed_quotes.withdraw_expired()

        assert expected == made.current()


class _SteppingClock(ManualClock):
    """Be ahead of the true time by what a test says."""

    ahead_ms = 0

    def time_ms(self) -> int:
        """Return our own idea of the time."""
        return super().time_ms() + self.ahead_ms


@pytest.mark.parametrize("ahead_ms", [90_000, -90_000])
def test_no_price_while_our_own_clock_is_off(ahead_ms: int) -> None:
    """All prices are withdrawn at once in one line, no source is blamed, and they are back when the clock is right."""
    clock = _SteppingClock(START_MS)
    made = MadeCache(clock=clock, exchange_time=ExchangeTime.TRADE)
    made.pin(BTC)

    def turn() -> list[SourceOutcome]:
        clock.advance(2)
        found = []
        for source in NAMES:
            made.streamed(source, "100", age_ms=clock.ahead_ms + 100)
            found.append(made.fetched(source, "100", age_ms=clock.ahead_ms + 50))
            made.cache.streamed_feeds.renew(10)
        return found

    turn()
    turn()
    assert "100" == made.current()
    with capture_logs() as lines:
        clock.ahead_ms = ahead_ms
        assert all(isinstance(outcome, OwnClockOff) for outcome in turn())
        assert "OWN_CLOCK_OFF" == made.current()
        turn()
        result = made.cache.feed_quotes.price(BTC, [], {}, {})
        assert isinstance(result, OwnClockOff)
        assert (3, 3, ahead_ms + 50) == (result.agreeing, result.timed, result.ahead_ms)
        clock.ahead_ms = 0
        turn()
    assert ["own_clock_off", "own_clock_right_again"] == [line["event"] for line in lines]
    assert "100" == made.current()
    assert "refused_prices_total{" not in made.metrics.render().decode()
