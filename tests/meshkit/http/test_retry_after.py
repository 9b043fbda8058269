import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.http.retry_after import LONGEST_MS, SHORTEST_MS, bounded_ms, date_ms, retry_after_ms


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("5", 5_000),
        (" 0 ", 0),
        ("soon", None),
        ("-3", None),
        ("٣", None),
        ("9" * 400, 259_200_000),
        ("Thu, 01 Jan 1970 00:01:00 GMT", 50_000),
        ("Thu, 01 Jan 1970 00:00:01 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 259_200_000),
        ("Fri, 31 Dec 99999 23:59:59 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, expected: int | None) -> None:
    """Both forms of the header are read, nonsense is as if it were missing, and three days are the most."""
    assert expected == retry_after_ms({} if header is None else {"Retry-After": header}, now_ms=10_000)


@pytest.mark.parametrize("off_ms", [-86_400_000, 0, 90_000])
def test_a_date_is_read_by_the_clock_that_wrote_it(off_ms: int) -> None:
    """However far our clock is off, what is told as 30 s later is 30 s later."""
    headers = {"Date": "Tue, 14 Nov 2023 22:13:20 GMT", "Retry-After": "Tue, 14 Nov 2023 22:13:50 GMT"}

    assert 30_000 == retry_after_ms(headers, 1_700_000_000_000 + off_ms)


def test_dates() -> None:
    """An HTTP date is a Unix time, and anything else is none."""
    assert 1_700_000_000_000 == date_ms("Tue, 14 Nov 2023 22:13:20 GMT")
    assert [None, None, None] == [date_ms(text) for text in (None, "", "yesterday")]


@given(st.none() | st.integers(0, LONGEST_MS), st.integers(1, 3_600_000))
def test_every_wait_has_a_floor(asked_ms: int | None, usual_ms: int) -> None:
    """No wait is shorter than a second unless the usual one is, and a longer one that was asked for is kept."""
    wait_ms = bounded_ms(asked_ms, usual_ms)

    assert wait_ms >= min(SHORTEST_MS, usual_ms)
    assert wait_ms == (asked_ms if asked_ms is not None and asked_ms >= SHORTEST_MS else wait_ms)
    assert bounded_ms(0, usual_ms) == usual_ms
