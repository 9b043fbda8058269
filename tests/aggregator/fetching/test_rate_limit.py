from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.clock import ManualClock
from services.aggregator.fetching.rate_limit import TokenBucket


def calls_in(bucket: TokenBucket, seconds: float) -> int:
    """Return how often a client that never pauses may call within the time, the first call being at 0."""
    now, calls = 0.0, 0
    while now <= seconds + 1e-6:
        now += bucket.wait_s(now)
        if now <= seconds + 1e-6:
            bucket.take(now)
            calls += 1
    return calls


@pytest.mark.parametrize(
    ("rate", "seconds", "calls"),
    [("1", 60, 61), ("2.8", 60, 169), ("2.8", 3_600, 10_081), ("0.0001", 100_000, 11), ("0.5", 3, 2)],
)
def test_a_rate_is_kept_exactly(rate: str, seconds: float, calls: int) -> None:
    """Besides the first call, exactly rate times time are allowed, for fractions of any size."""
    assert calls == calls_in(TokenBucket(Fraction(rate)), seconds)


@given(
    rate=st.fractions(min_value=Fraction(1, 10), max_value=200),
    gaps=st.lists(st.floats(0, 3), max_size=60),
    window_s=st.floats(0.01, 10),
)
def test_no_window_has_more_calls_than_the_rate_allows(rate: Fraction, gaps: list[float], window_s: float) -> None:
    """However calls arrive, any window has at most its share of the rate and one burst of a tenth of a second."""
    bucket, now, times = TokenBucket(rate), 0.0, list[float]()
    for gap in gaps:
        now += gap
        wait_s = bucket.wait_s(now)
        bucket.take(now)
        times.append(now + wait_s)
    most = float(rate) * window_s + max(1, int(rate / 10)) + 1e-6

    assert all(sum(start <= time <= start + window_s for time in times) <= most for start in times)


def test_a_bucket_fills_up_again_but_not_above_its_size() -> None:
    """After an hour of silence, ten calls of a hundred a second may follow each other at once, the next one not."""
    clock, bucket = ManualClock(), TokenBucket(Fraction(100))
    clock.advance(3_600)
    for _ in range(10):
        assert 0 == bucket.wait_s(clock.monotonic())
        bucket.take(clock.monotonic())

    assert 0.01 == pytest.approx(bucket.wait_s(clock.monotonic()))
