import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.errors import MeshError
from services.aggregator.fetching.refetch_timing import SHORTEST_LEAD_S, lead_s, retry_delay_s
from services.aggregator.prices.errors import (
    PriceRefused,
    ProviderFault,
    SourceRateLimited,
    SourceTimeout,
    UnknownPair,
)
from tests.aggregator.fakes import BTC

JUMP = PriceRefused("kraken", BTC, "9", "x", rule="jump")


@pytest.mark.parametrize(
    ("error", "count", "expected"),
    [
        (ProviderFault("kraken", "x"), 1, 0.25),
        (ProviderFault("kraken", "x"), 2, 0.5),
        (SourceTimeout("kraken", 5), 5, 4.0),
        (SourceTimeout("kraken", 5), 6, 5.0),
        (SourceTimeout("kraken", 5), 10**9, 5.0),
        (UnknownPair(BTC, "kraken"), 1, 60.0),
        (SourceRateLimited("kraken", 1500), 7, 1.5),
    ],
)
def test_a_failure_decides_when_to_ask_again(error: MeshError, count: int, expected: float) -> None:
    """Faults double up to five seconds, a limit waits as told, an unknown pair a minute."""
    assert expected == retry_delay_s(error, count)


@pytest.mark.parametrize(("count", "expected"), [(1, 1.0), (5, 1.0), (6, 5.0), (50, 5.0)])
def test_a_jump_is_looked_at_again_in_time_to_confirm_it(count: int, expected: float) -> None:
    """Five times a second apart, so that a real jump is confirmed; then as rarely as after a fault."""
    assert expected == retry_delay_s(JUMP, count)


def test_the_longest_delay_is_a_setting() -> None:
    """Where the configuration waits longer than five seconds at most, delays go on to double."""
    assert [4.0, 8.0, 16.0, 20.0] == [retry_delay_s(SourceTimeout("kraken", 5), count, 20.0) for count in (5, 6, 7, 8)]


@pytest.mark.parametrize(
    ("ttl_s", "longest_s", "slowest_s", "expected"),
    [(80, 30, 0.1, 10), (80, 30, 4, 16), (80, 30, 9, 30), (1, 30, 0, 0.25), (0.2, 30, 0, 0.1), (8, 3, 5, 3)],
)
def test_a_refresh_begins_as_late_as_answer_times_allow(
    ttl_s: float, longest_s: float, slowest_s: float, expected: float
) -> None:
    """An eighth of the time to live or four slow answers before its end, within the two bounds."""
    assert expected == lead_s(ttl_s, longest_s, slowest_s)


@given(ttl_s=st.floats(0.001, 86_400), longest_s=st.floats(0.001, 600), slowest_s=st.floats(0, 60))
def test_the_lead_has_its_bounds(ttl_s: float, longest_s: float, slowest_s: float) -> None:
    """It is never over the setting or half the time to live, and never under a quarter of a second without them."""
    lead = lead_s(ttl_s, longest_s, slowest_s)

    assert 0 < lead <= min(longest_s, ttl_s / 2)
    assert min(SHORTEST_LEAD_S, longest_s, ttl_s / 2) <= lead
