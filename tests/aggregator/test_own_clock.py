"""Our own clock, by what the sources say."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from meshkit.clock import ManualClock
from services.aggregator.metrics import open_registry
from services.aggregator.own_clock import AGREEMENT_MS, LIMIT_MS, ClockState, OwnClock, judge
from services.aggregator.prices.errors import OwnClockOff

TRUE_MS = 1_800_000_000_000
SOURCES = tuple("abcdefghijklm")


class SteppingClock(ManualClock):
    """Be ahead of the true time by what a test says."""

    ahead_ms = 0

    def time_ms(self) -> int:
        """Return our own idea of the time."""
        return super().time_ms() + self.ahead_ms

    def true_ms(self) -> int:
        """Return what it is really."""
        return super().time_ms()


class World:
    """Have sources that tell the true time, each with an error of its own."""

    def __init__(self, sources: tuple[str, ...] = SOURCES) -> None:
        self.clock = SteppingClock(TRUE_MS)
        self.metrics = open_registry()
        self.own_clock = OwnClock(self.clock, self.metrics)
        self.errors_ms = dict.fromkeys(sources, 0)
        self.offs = 0
        self.own_clock.on_off = self._count

    def _count(self) -> None:
        self.offs += 1

    def date(self, source: str) -> None:
        """Have a source answer over HTTP, whose dates have whole seconds."""
        self.own_clock.note_date(source, (self.clock.true_ms() + self.errors_ms[source]) // 1000 * 1000)

    def price(self, source: str, late_ms: int = 0) -> None:
        """Have a source tell a price whose time is now, or of a while ago."""
        told_ms = self.clock.true_ms() + self.errors_ms[source] - late_ms
        self.own_clock.note_price(source, "BTC", told_ms, self.clock.monotonic(), self.clock.time_ms())

    def turn(self, *kinds: Callable[[str], None], turns: int = 2, every_s: float = 3.0) -> ClockState:
        """Have every source tell the time so often."""
        for _ in range(turns):
            self.clock.advance(every_s)
            for source in self.errors_ms:
                for kind in kinds:
                    kind(source)
        return self.own_clock.state


@pytest.mark.parametrize("ahead_ms", [90_000, -90_000, 12_000, -12_000, 86_400_000])
@pytest.mark.parametrize("kinds", ["date", "price", "both"])
def test_a_clock_that_is_off(ahead_ms: int, kinds: str) -> None:
    """A step of our clock is seen with the next sign, told once, and over with the first sign after it is mended."""
    world = World()
    told = {"date": (world.date,), "price": (world.price,), "both": (world.date, world.price)}[kinds]
    assert not world.turn(*told).is_off
    with capture_logs() as lines:
        world.clock.ahead_ms = ahead_ms
        world.clock.advance(1)
        for kind in told:
            kind("a")
        assert world.own_clock.state.is_off
        state = world.turn(*told, turns=5)
        assert (True, 13, 13) == (state.is_off, state.agreeing, state.timed)
        assert abs(state.ahead_ms - ahead_ms) <= 1000
        with pytest.raises(OwnClockOff, match=r"our own clock is .* by 13 of 13 sources"):
            world.own_clock.require_right()
        assert "own_clock_off 1.0" in world.metrics.render().decode()
        world.clock.ahead_ms = 0
        for kind in told:
            kind("a")
        assert not world.turn(*told).is_off
    assert ["own_clock_off", "own_clock_right_again"] == [line["event"] for line in lines]
    assert 1 == world.offs
    assert "own_clock_off 0.0" in world.metrics.render().decode()
    world.own_clock.require_right()


def test_a_clock_that_is_off_from_the_start() -> None:
    """The second source that says so is enough, where there are no more."""
    world = World()
    world.clock.ahead_ms = 90_000
    world.date("a")
    assert not world.own_clock.state.is_off
    world.date("b")
    assert (True, 2, 2) == (world.own_clock.state.is_off, world.own_clock.state.agreeing, world.own_clock.state.timed)


@pytest.mark.parametrize("off", [1, 2, 6])
def test_some_sources_are_off(off: int) -> None:
    """Sources whose clocks are off are no sign of ours, as long as they are no majority, be it by the same amount."""
    world = World()
    world.errors_ms |= dict.fromkeys(SOURCES[:off], -90_000)
    assert not world.turn(world.date, world.price, turns=5).is_off


def test_a_lone_source() -> None:
    """One source cannot tell whose clock is off."""
    world = World(("a",))
    world.errors_ms["a"] = 3_600_000
    assert not world.turn(world.date, world.price, turns=5).is_off


def test_sources_that_are_off_by_different_amounts() -> None:
    """A majority that disagrees about our clock says nothing about it."""
    world = World()
    world.errors_ms = {source: 20_000 * number for number, source in enumerate(SOURCES, 1)}
    assert not world.turn(world.date, world.price, turns=5).is_off


def test_quiet_markets_tell_no_time() -> None:
    """Closed markets, and such as trade at the same moment after a long time, are no sign, though all are as old."""
    world = World()
    for _ in range(10):
        world.clock.advance(30)
        for source in SOURCES:
            world.price(source, late_ms=25_000)
    assert not world.own_clock.state.is_off
    for _ in range(10):
        world.clock.advance(3)
        for source in SOURCES:
            world.own_clock.note_price(source, "EUR", TRUE_MS, world.clock.monotonic(), world.clock.time_ms())
    assert not world.own_clock.state.is_off


def test_two_delayed_vendors_are_no_sign_against_dates() -> None:
    """Prices that two vendors tell a quarter of an hour late say nothing where dates say that our clock is right."""
    world = World(("yahoo", "finnhub"))
    assert not world.turn(world.date, lambda source: world.price(source, late_ms=900_000), turns=5).is_off


def test_two_sources_behind_caches_are_no_sign_against_a_third() -> None:
    """Dates of long ago of two sources, as caches tell, say nothing where a third one says that all is well."""
    world = World(("binance", "kraken", "coinbase"))
    world.errors_ms |= {"binance": -600_000, "kraken": -600_000}
    assert not world.turn(world.date, turns=5).is_off


def test_dates_of_a_proxy() -> None:
    """Dates that are off count for nothing where the times of prices are right: they may be those of our own proxy."""
    world = World()

    def by_proxy(source: str) -> None:
        world.own_clock.note_date(source, world.clock.true_ms() - 60_000)

    assert not world.turn(by_proxy, world.price, turns=5).is_off


def test_jitter() -> None:
    """Answers that take seconds, and late prices among others, do not matter."""
    world = World()
    for turn in range(20):
        world.clock.advance(2)
        for number, source in enumerate(SOURCES):
            late_ms = 800 * ((turn + number) % 9)
            world.own_clock.note_date(source, world.clock.true_ms() - late_ms)
            world.price(source, late_ms)
    assert not world.own_clock.state.is_off


def test_a_suspended_host() -> None:
    """After a sleep, in which our monotonic clock stood still, the first new signs are enough."""
    world = World()
    world.turn(world.date)
    # The true time and ours go on together, as if nothing had been.
    world.clock._start_ms += 3_600_000
    assert not world.turn(world.date).is_off


def test_sources_come_right_again_after_the_future() -> None:
    """Where all sources were ahead of us for a while and are not any more, prices come back within half a minute."""
    world = World()
    world.turn(world.date, world.price)
    world.errors_ms = dict.fromkeys(SOURCES, 90_000)
    assert world.turn(world.date, world.price).is_off
    world.errors_ms = dict.fromkeys(SOURCES, 0)
    assert not world.turn(world.date, world.price, turns=10).is_off


@pytest.mark.parametrize("time_ms", [0, -1, 10**400, 10**14])
def test_no_time_at_all(time_ms: int) -> None:
    """What is no time is no sign, and breaks nothing."""
    world = World()
    for source in SOURCES:
        for shift in (0, 1):
            world.own_clock.note_price(source, "BTC", time_ms + shift, 0.0, TRUE_MS)
    assert ClockState() == world.own_clock.state


_OFFSETS = st.dictionaries(st.sampled_from(SOURCES), st.integers(-200_000, 200_000), max_size=13)


@settings(max_examples=200, deadline=None)
@given(_OFFSETS, _OFFSETS)
def test_only_a_majority_of_one_kind_blames_us(dates: dict[str, int], prices: dict[str, int]) -> None:
    """Whatever is said, our clock is off only by what two at least, and most of a kind, say within the agreement."""
    state = judge(dates, prices)
    if state.is_off:
        assert abs(state.ahead_ms) > LIMIT_MS
        kinds = [
            sum(abs(offset - state.ahead_ms) <= AGREEMENT_MS for offset in kind.values()) for kind in (dates, prices)
        ]
        majorities = [2 * near > len(kind) for near, kind in zip(kinds, (dates, prices), strict=True)]
        assert any(near >= 2 and most for near, most in zip(kinds, majorities, strict=True))


@settings(max_examples=100, deadline=None)
@given(st.integers(-LIMIT_MS + 1_000, LIMIT_MS - 1_000), _OFFSETS, _OFFSETS)
def test_a_right_clock_is_never_blamed(error_ms: int, lies: dict[str, int], other_lies: dict[str, int]) -> None:
    """With more sources that tell the true time than such as lie, in each kind, our clock is never off."""

    def told(lying: dict[str, int]) -> dict[str, int]:
        return lying | {f"honest {number}": error_ms for number in range(len(lying) + 1)}

    assert not judge(told(lies), told(other_lies)).is_off
