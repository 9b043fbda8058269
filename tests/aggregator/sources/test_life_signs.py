import math

from meshkit.clock import ManualClock
from services.aggregator.sources.life_signs import LIFE_S, LifeSigns
from tests.aggregator.fakes import BTC

NEVER = -math.inf


def test_what_the_exchange_says_is_a_sign() -> None:
    """A market that is called traded is alive, though its price stands still; for a minute or so."""
    clock = ManualClock()
    signs = LifeSigns(clock)
    for _ in range(round(LIFE_S)):
        assert signs.is_alive(BTC, "1", 0.0)
        clock.advance(1)
    clock.advance(1)

    assert not signs.is_alive(BTC, "1", 0.0)
    assert signs.is_alive(BTC, "1", clock.monotonic() - 5)


def test_a_move_is_a_sign() -> None:
    """Without a word of the exchange, a price counts after it has moved, and until it has stood still too long."""
    clock = ManualClock()
    signs = LifeSigns(clock)
    found = []
    for mark, seconds in (("1", 10), ("1", 10), ("2", LIFE_S), ("2", 1), ("2", 10), ("3", 10)):
        found.append(signs.is_alive(BTC, mark, NEVER))
        clock.advance(seconds)

    assert [False, False, True, True, False, True] == found


def test_what_stands_still_too_long_is_dead_whatever_is_said() -> None:
    """A stalled engine behind an exchange that calls all its markets traded."""
    clock = ManualClock()
    signs = LifeSigns(clock)
    found = []
    for mark in ("1", "1", "1", "2"):
        found.append(signs.is_alive(BTC, mark, clock.monotonic(), longest_still_s=300))
        clock.advance(200)

    assert [True, True, False, True] == found
