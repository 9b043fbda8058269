"""
Whether our own clock is right, by what the sources say.

Each source is a sign of two kinds: the `Date` of its HTTP answers, and the times of its prices as they change. What a
source said last is kept as its distance from our monotonic clock, so that a step of our wall clock shows at once, and
what is late only makes a sign weaker: the latest of some seconds counts.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median_low

from meshkit.clock import Clock
from meshkit.log import get_logger
from meshkit.metrics import Registry
from services.aggregator.prices.errors import OwnClockOff

_log = get_logger(__name__)

# The same distance from which on a `Date` tells of a cache: below it no source is blamed either.
LIMIT_MS = 10_000
# Signs are the same amount if they are within this of their median: answers take seconds, a `Date` has whole ones.
AGREEMENT_MS = 5_000
# The latest sign of so many seconds counts, and of a source that says nothing more the last one for so long.
_WINDOW_S = 10.0
_KEPT_S = 300.0
# One source's clock may be off; two may stand behind caches of one age, or tell prices that are as late.
_LEAST, _LEAST_AGAINST_ANOTHER = 2, 3
_MOST_TIMES = 10_000
# Years from 1970 to 5138: what is beyond is no time.
_LATEST_MS = 10**14
_COMPARE_EVERY_S = 1.0


@dataclass(slots=True)
class _Sign:
    """Hold the latest time of a source minus our monotonic time, of this window and of the one before, in ms."""

    at_s: float
    began_s: float
    latest_ms: int
    before_ms: int | None = None

    def add(self, base_ms: int, now_s: float) -> None:
        if now_s - self.began_s >= _WINDOW_S:
            self.before_ms = self.latest_ms if now_s - self.at_s < 2 * _WINDOW_S else None
            self.began_s, self.latest_ms = now_s, base_ms
        self.latest_ms = max(self.latest_ms, base_ms)
        self.at_s = now_s

    @property
    def base_ms(self) -> int:
        return self.latest_ms if self.before_ms is None else max(self.latest_ms, self.before_ms)


@dataclass(frozen=True, slots=True)
class ClockState:
    """Hold by how much our clock is ahead (negative: behind), and how many of how many timed sources say so."""

    is_off: bool = False
    ahead_ms: int = 0
    agreeing: int = 0
    timed: int = 0


class OwnClock:
    """
    Compare our clock with those of the sources.

    Attributes:
        state: What the last comparison found.
        on_off: Called when our clock begins to be off.
    """

    def __init__(self, clock: Clock, metrics: Registry) -> None:
        self.state = ClockState()
        self.on_off: Callable[[], None] | None = None
        self._clock = clock
        self._metrics = metrics
        self._dates: dict[str, _Sign] = {}
        self._prices: dict[str, _Sign] = {}
        self._seen: dict[tuple[str, Hashable], tuple[int, float]] = {}
        self._compared_s = float("-inf")
        metrics.gauge("own_clock_off").set(0)

    def note_date(self, source: str, date_ms: int) -> None:
        """Note the `Date` of an answer of a source that comes in now, not out of a cache; Unix milliseconds."""
        now_s = self._clock.monotonic()
        self._note(self._dates, source, date_ms, now_s, self._clock.time_ms())

    def note_price(self, source: str, what: Hashable, time_ms: int, received_s: float, received_ms: int) -> None:
        """
        Note the time of a source's price.

        It is a sign if it is another one than that of the same price a moment before: a market may have been quiet for
        so long, and a stalled one tells no time.

        Args:
            source: Who tells it.
            what: What the price is of.
            time_ms: By the source, Unix milliseconds.
            received_s: When it came, on the monotonic clock.
            received_ms: The same moment by our own clock, Unix milliseconds.
        """
        if not 0 < time_ms < _LATEST_MS:
            return
        last = self._seen.get((source, what))
        if last is None and len(self._seen) >= _MOST_TIMES:
            self._seen.clear()
        self._seen[source, what] = time_ms, received_s
        if last is not None and last[0] != time_ms and received_s - last[1] <= LIMIT_MS / 1000:
            self._note(self._prices, source, time_ms, received_s, received_ms)

    def require_right(self) -> None:
        """Return if nothing says that our clock is off; OwnClockOff if most timed sources do."""
        if self.state.is_off:
            raise self.error()

    def error(self) -> OwnClockOff:
        """Return the error that stands for every price while our clock is off."""
        return OwnClockOff(self.state.ahead_ms, self.state.agreeing, self.state.timed)

    def _note(self, signs: dict[str, _Sign], source: str, time_ms: int, now_s: float, now_ms: int) -> None:
        base_ms = time_ms - round(now_s * 1000)
        sign = signs.get(source)
        if sign is None:
            signs[source] = _Sign(now_s, now_s, base_ms)
        else:
            sign.add(base_ms, now_s)
        own_base_ms = now_ms - round(now_s * 1000)
        is_due = now_s - self._compared_s >= _COMPARE_EVERY_S
        if is_due or self.state.is_off or abs(own_base_ms - base_ms) > LIMIT_MS:
            self._compared_s = now_s
            self._compare(now_s, own_base_ms)

    def _compare(self, now_s: float, own_base_ms: int) -> None:
        state = judge(_offsets(self._dates, now_s, own_base_ms), _offsets(self._prices, now_s, own_base_ms))
        before, self.state = self.state, state
        if state.timed >= _LEAST:
            self._metrics.gauge("own_clock_ahead_seconds").set(state.ahead_ms / 1000)
        if state.is_off == before.is_off:
            return
        self._metrics.gauge("own_clock_off").set(int(state.is_off))
        if state.is_off:
            _log.error("own_clock_off", ahead_ms=state.ahead_ms, agreeing=state.agreeing, timed=state.timed)
            if self.on_off is not None:
                self.on_off()
        else:
            _log.warning("own_clock_right_again", ahead_ms=state.ahead_ms, timed=state.timed)


def judge(dates: Mapping[str, int], prices: Mapping[str, int]) -> ClockState:
    """
    Return how our clock stands, by how far it is ahead of each source's dates and of its prices' times, in ms.

    It is off if most of one kind of signs are, by the same amount: two at least, and three where any source says that
    our clock is right. Dates prove nothing where most prices' times say so, as they may be those of a proxy of ours.
    """
    timed = len(dates.keys() | prices.keys())
    is_right_to_some = any(abs(offset) <= LIMIT_MS for offset in (*dates.values(), *prices.values()))
    least = _LEAST_AGAINST_ANOTHER if is_right_to_some else _LEAST
    for signs in (prices, {} if _are_right(list(prices.values())) else dates):
        ahead_ms, agreeing = _agreed(list(signs.values()))
        if abs(ahead_ms) > LIMIT_MS and 2 * agreeing > len(signs) and agreeing >= least:
            return ClockState(True, ahead_ms, agreeing, len(signs))
    ahead_ms, agreeing = _agreed(list((dates or prices).values()))
    return ClockState(False, ahead_ms, agreeing, timed)


def _are_right(offsets: Sequence[int]) -> bool:
    ahead_ms, agreeing = _agreed(offsets)
    return agreeing >= _LEAST and 2 * agreeing > len(offsets) and abs(ahead_ms) <= LIMIT_MS


def _agreed(offsets: Sequence[int]) -> tuple[int, int]:
    """Return the median of what is said, and how many are near it."""
    if not offsets:
        return 0, 0
    middle = median_low(offsets)
    return middle, sum(abs(offset - middle) <= AGREEMENT_MS for offset in offsets)


def _offsets(signs: Mapping[str, _Sign], now_s: float, own_base_ms: int) -> dict[str, int]:
    return {source: own_base_ms - sign.base_ms for source, sign in signs.items() if now_s - sign.at_s <= _KEPT_S}
