"""The times of cron jobs."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.oracle.jobs.schedule import Schedule

_NOW = datetime(2026, 2, 27, 22, 58, 59, 500_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@every 10s", "2026-02-27T22:59:09"),
        ("@every 1500ms", "2026-02-27T22:59:00"),
        ("@every 1ms", "2026-02-27T22:59:00"),
        ("CRON_TZ=UTC * * * * * *", "2026-02-27T22:59:00"),
        ("CRON_TZ=UTC */20 * * * * *", "2026-02-27T22:59:00"),
        ("CRON_TZ=UTC 30 0 0 * * *", "2026-02-28T00:00:30"),
        ("CRON_TZ=UTC 0 0 0 29 2 *", "2028-02-29T00:00:00"),
        ("CRON_TZ=UTC 0 0 12 ? * sun", "2026-03-01T12:00:00"),
        # Where both days are given, one is enough.
        ("CRON_TZ=UTC 0 0 0 15 * MON", "2026-03-02T00:00:00"),
        ("CRON_TZ=UTC 0 5,10-12/2 23 * JAN-mar *", "2026-02-27T23:05:00"),
        ("CRON_TZ=Asia/Tokyo 0 0 9 * * *", "2026-02-28T00:00:00"),
        ("CRON_TZ=UTC @monthly", "2026-03-01T00:00:00"),
        ("CRON_TZ=UTC 0 0 0 31 2 *", None),
    ],
)
def test_the_next_time(text: str, expected: str | None) -> None:
    """The next time is behind the moment, in the schedule's own zone; some never come."""
    found = Schedule.parse(text).after(_NOW)

    assert (expected and f"{expected}+00:00") == (found and found.isoformat())


def test_five_fields_cannot_be_started() -> None:
    """A real node takes five fields, and then cannot start such a job: neither can this one."""
    schedule = Schedule.parse("CRON_TZ=UTC 0 0 1 1 *")

    assert "expected exactly 6 fields, found 5: [0 0 1 1 *]" == schedule.fault


_fields = st.tuples(st.integers(0, 59), st.integers(0, 59), st.integers(0, 23), st.integers(1, 28), st.integers(1, 12))


@given(_fields, st.integers(1_600_000_000, 1_900_000_000))
def test_a_date_comes_within_a_year(fields: tuple[int, ...], moment_s: int) -> None:
    """A date of the year comes once a year, at its time and behind the moment."""
    now = datetime.fromtimestamp(moment_s, UTC)
    found = Schedule.parse(f"CRON_TZ=UTC {' '.join(map(str, fields))} *").after(now)

    assert found is not None
    assert fields == (found.second, found.minute, found.hour, found.day, found.month)
    assert timedelta(0) < found - now <= timedelta(days=366)
