"""Token buckets."""

from hypothesis import given
from hypothesis import strategies as st

from services.oracle.p2p.transport.limits import StreamLimits, TokenBucket, connection_limits


def test_bucket() -> None:
    """A bucket starts full, fills at its rate, and never above its capacity."""
    bucket = TokenBucket(rate=2, capacity=4, now_s=100)
    assert [True] * 4 + [False] == [bucket.take(1, 100) for _ in range(5)]
    assert not bucket.take(1, 100.4)
    assert bucket.take(1, 100.5)
    assert [True] * 4 + [False] == [bucket.take(1, 1000) for _ in range(5)]
    bucket.add(3, 1000)
    assert bucket.take(3, 1000)


def test_resize() -> None:
    """Growing adds what the capacity grew by, shrinking takes it away."""
    bucket = TokenBucket(rate=0, capacity=10, now_s=0)
    assert bucket.take(8, 0)
    bucket.resize(0, 15, 0)
    assert bucket.take(7, 0)
    bucket.resize(0, 5, 0)
    assert not bucket.take(1, 0)


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(1, 5)), max_size=50))
def test_never_more_than_rate_and_capacity(takes: list[tuple[float, int]]) -> None:
    """Never goes more through than the capacity and what the rate gave; a clock that jumps back gives nothing."""
    bucket, now_s, taken = TokenBucket(rate=3, capacity=7, now_s=0), 0.0, 0
    for wait_s, tokens in takes:
        now_s += wait_s
        taken += tokens if bucket.take(tokens, now_s) else 0
        assert not bucket.take(8, now_s - 100)

    assert taken <= 7 + 3 * now_s + 1e-6


def test_connection_limits() -> None:
    """A connection takes one and a half times what its streams take, and an allowance."""
    stream = StreamLimits(10_000, 10, 16, 100_000, 160_000)

    assert (1_465 + 1.5 * (370 + 100_000), 879_000 + 1.5 * (592 + 160_000)) == connection_limits([stream])
    assert (1_465, 879_000) == connection_limits([])
