from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.fetching.silence import LONGEST_REFUSAL_S, Silence
from services.aggregator.prices.errors import AccessRefused, SourceRateLimited

REFUSED = AccessRefused("kraken", "HTTP 451")


@given(st.lists(st.integers(0, 100_000), min_size=1, max_size=40))
def test_limits_in_a_row_are_waited_for_longer(waits_ms: list[int]) -> None:
    """A wait that is asked for is kept, and a provider that asks for too little is asked at most so often."""
    silence, now, calls = Silence("kraken"), 0.0, 0
    for wait_ms in waits_ms:
        silence.limited(now, SourceRateLimited("kraken", wait_ms))
        calls += 1
        assert silence.until >= now + wait_ms / 1000
        now = silence.until
        assert silence.error(now) is None
    assert calls <= 8 + now / 60


def test_a_limit_of_no_time_is_no_flood() -> None:
    """Calls that are limited for no time at all are a handful in a minute."""
    silence, now, calls = Silence("kraken"), 0.0, 0
    while now < 60:
        if silence.error(now) is None:
            silence.limited(now, SourceRateLimited("kraken", 0))
            calls += 1
        now += 0.01

    assert calls <= 7


def test_a_refusal_is_what_is_told_until_it_is_asked_again() -> None:
    """Its error is the answer for a minute at first, and longer each time."""
    silence = Silence("kraken")
    now, pauses = 0.0, []
    for _ in range(8):
        silence.refused(now, REFUSED)
        assert REFUSED is silence.error(now + 59)
        pauses.append(silence.until - now)
        now = silence.until

    assert [60, 120, 240, 480, 900] == pauses[:5]
    assert LONGEST_REFUSAL_S == max(pauses)


def test_an_answer_ends_the_row() -> None:
    """What was before it counts no more."""
    silence = Silence("kraken")
    for _ in range(5):
        silence.limited(0, SourceRateLimited("kraken", 0))
    silence.ended()
    silence.limited(100, SourceRateLimited("kraken", 500))
    error = silence.error(100)

    assert 100.5 == silence.until
    assert isinstance(error, SourceRateLimited)
    assert 501 == error.retry_after_ms
