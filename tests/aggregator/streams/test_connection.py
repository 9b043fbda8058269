"""Reconnecting, on a clock that a test moves."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from meshkit.clock import ManualClock
from services.aggregator.streams.connection import (
    LONGEST_REFUSED_WAIT_S,
    LONGEST_WAIT_S,
    REFUSED_WAIT_S,
    Connection,
    backoff_s,
    next_wait_s,
)
from services.aggregator.streams.errors import StreamDown
from services.aggregator.streams.session import Session
from services.aggregator.streams.subscriptions import Rejections
from tests.waiting import until


@given(st.integers(1, 10_000), st.sampled_from([1.0, 4.0, 5.0, 30.0]), st.floats(0, 1))
def test_backoff(failures: int, first_s: float, share: float) -> None:
    """Waits never exceed a minute, never undercut what the provider asks for, and grow with failures."""
    wait_s = backoff_s(failures, first_s, share)
    assert first_s <= wait_s <= LONGEST_WAIT_S
    assert backoff_s(failures, first_s, 0) <= backoff_s(failures + 1, first_s, 0)


def test_backoff_reaches_its_cap() -> None:
    """Waits double up to 48 seconds, or a minute with the part that chance adds."""
    assert [1, 2, 4, 8, 16, 32, 48, 48] == [backoff_s(count, 1.0, 0.0) for count in range(1, 9)]
    assert 60 == backoff_s(9, 1.0, 1.0)


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_a_refusal_that_stands_is_asked_about_seldom(failures: int, share: float) -> None:
    """A minute after the first refusal at the earliest, ten minutes after the last at the latest."""
    wait_s = next_wait_s(StreamDown("refused", "HTTP 451", is_standing=True), failures, 1.0, share)

    assert REFUSED_WAIT_S <= wait_s <= LONGEST_REFUSED_WAIT_S


def test_a_wait_that_the_provider_asks_for_is_kept() -> None:
    """It prolongs ours, and does not shorten it."""
    assert 90 == next_wait_s(StreamDown("refused", "HTTP 429", wait_s=90), 1, 1.0, 0.0)
    assert 8 == next_wait_s(StreamDown("refused", "HTTP 429", wait_s=0), 4, 1.0, 0.0)


@pytest.mark.parametrize(
    ("failure", "reason"), [(StreamDown("refused", "nobody there"), "refused"), (KeyError("ours"), "crashed")]
)
async def test_a_connection_never_gives_up(failure: Exception, reason: str) -> None:
    """
    A hundred failed connects in a row, far more than the old service's ten, are followed by one more.

    It is so whatever has failed, a defect of ours too; each is counted, and one that goes on as it was is told once.
    """
    clock, attempts = ManualClock(), 0

    async def refuse() -> Session:
        nonlocal attempts
        attempts += 1
        raise failure

    reasons: list[str] = []
    connection = Connection(
        "kraken",
        refuse,
        clock,
        Rejections(),
        first_wait_s=1.0,
        lifetime_s=None,
        overlaps=True,
        reconnects=True,
        on_reconnect=reasons.append,
        on_state=lambda _up: None,
    )
    connection.want(["BTC/USD"])
    with capture_logs() as logs:
        task = asyncio.create_task(connection.run())
        for count in range(1, 101):
            await until(lambda count=count: attempts == count)  # type: ignore[misc]
            clock.advance(LONGEST_WAIT_S)
        await until(lambda: attempts == 101)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert [reason] * 100 == reasons[:100]
    assert 1 == sum(entry["event"] == "stream_down" and entry["log_level"] == "warning" for entry in logs)
