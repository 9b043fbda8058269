"""How long an endpoint that was asked too much is left alone."""

import pytest

from chainlink.rpc.rate_limits import RateLimits


@pytest.mark.parametrize(("asked_s", "rest_s"), [(7.0, 7.0), (0.0, 1.0), (86_400.0, 60.0)])
def test_the_rest_it_asks_for(asked_s: float, rest_s: float) -> None:
    """An endpoint rests as long as it asks, at least a second and at most a minute."""
    limits = RateLimits()
    limits.limited(0, asked_s, 100.0)

    assert (rest_s, 0.0) == (limits.rest_s(0, 100.0), limits.rest_s(1, 100.0))
    assert 0.0 == limits.rest_s(0, 100.0 + rest_s)


def test_a_rest_without_a_time() -> None:
    """Where it does not say for how long, the rest doubles each time up to a minute, until it answers again."""
    limits, rests = RateLimits(), []
    for _ in range(8):
        limits.limited(0, None, 0.0)
        rests.append(limits.rest_s(0, 0.0))
    limits.answered(0)
    limits.limited(0, None, 0.0)

    assert [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0] == rests
    assert 1.0 == limits.rest_s(0, 0.0)
