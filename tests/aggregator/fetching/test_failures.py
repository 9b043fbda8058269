import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.clock import ManualClock
from meshkit.errors import MeshError
from services.aggregator.fetching.failures import Failure, RecentFailures
from services.aggregator.prices.errors import ProviderFault, SourceRateLimited, UnknownPair
from tests.aggregator.fakes import BTC, ETH

DOWN = ProviderFault("kraken", "down")


class Failing:
    """Failures of one pair on a manual clock."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.failures = RecentFailures(self.clock)

    def fail(self, error: MeshError = DOWN, longest_s: float = 5.0, not_before: float = 0.0) -> Failure:
        """Have a fetch fail now."""
        now = self.clock.monotonic()
        return self.failures.add("kraken", BTC, error, now, longest_s=longest_s, not_before=not_before)


def test_an_error_is_the_answer_until_the_pair_may_be_fetched_again() -> None:
    """Up to the moment, not at it; of other pairs and sources there is none."""
    failing = Failing()
    failing.fail()
    failing.clock.advance(0.249)

    assert DOWN is failing.failures.error("kraken", BTC)
    assert [None, None] == [failing.failures.error(*other) for other in (("kraken", ETH), ("okx", BTC))]

    failing.clock.advance(0.001)

    assert failing.failures.error("kraken", BTC) is None
    assert 1 == failing.failures.count("kraken", BTC)


def test_failures_in_a_row_are_counted_until_there_is_a_price() -> None:
    """Each doubles the delay; a price ends the row."""
    failing = Failing()
    delays = []
    for _ in range(4):
        delays.append(failing.fail().retry_at - failing.clock.monotonic())
        failing.clock.advance(10)

    assert [0.25, 0.5, 1.0, 2.0] == delays
    assert 4 == failing.failures.count("kraken", BTC)

    failing.failures.forget("kraken", BTC)
    failing.failures.forget("okx", BTC)

    assert (0, None) == (failing.failures.count("kraken", BTC), failing.failures.last("kraken", BTC))
    assert 1 == failing.fail().count


def test_a_row_ends_where_the_next_failure_does_not_follow_soon() -> None:
    """Five minutes after the pair was to be fetched again the failure is forgotten."""
    failing = Failing()
    failure = failing.fail()
    failing.clock.advance(failure.next_at + 299)

    assert 1 == failing.failures.count("kraken", BTC)

    failing.clock.advance(1)

    assert 0 == failing.failures.count("kraken", BTC)


@pytest.mark.parametrize(
    ("error", "longest_s", "retry_s", "next_s"),
    [(DOWN, 60.0, 5.0, 8.0), (DOWN, 1.0, 1.0, 1.0), (UnknownPair(BTC), 1.0, 60.0, 60.0)],
)
def test_who_asks_waits_less_than_a_refresh_may(
    error: MeshError, longest_s: float, retry_s: float, next_s: float
) -> None:
    """For whoever asks a pair is fetched after five seconds at most, by itself as rarely as is set."""
    failing = Failing()
    for _ in range(5):
        failing.fail(error, longest_s)

    failure = failing.fail(error, longest_s)

    assert (retry_s, next_s) == (failure.retry_at, failure.next_at)


@given(
    st.lists(
        st.tuples(st.sampled_from((DOWN, SourceRateLimited("kraken", 700), UnknownPair(BTC))), st.floats(0, 400)),
        max_size=20,
    ),
    st.floats(0.1, 600),
    st.floats(0, 100),
)
def test_no_fetch_is_due_while_the_source_is_not_called(
    row: list[tuple[MeshError, float]], longest_s: float, silent_s: float
) -> None:
    """Neither for who asks nor by itself, and who asks is never later than that."""
    failing = Failing()
    for error, wait_s in row:
        not_before = failing.clock.monotonic() + silent_s
        failure = failing.fail(error, longest_s, not_before)

        assert not_before <= failure.retry_at <= max(failure.next_at, failure.retry_at)
        assert failure.next_at >= not_before

        failing.clock.advance(wait_s)
