"""Reconnecting, on a clock that a test moves."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from meshkit.clock import ManualClock
from services.aggregator.streams.connection import LONGEST_WAIT_S, Connection, backoff_s
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


async def test_a_connection_never_gives_up() -> None:
    """A hundred refused connects in a row, far more than the old service's ten, are followed by one more."""
    clock, attempts = ManualClock(), 0

    async def refuse() -> Session:
        nonlocal attempts
        attempts += 1
        raise StreamDown("refused", "nobody there")

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
    task = asyncio.create_task(connection.run())
    for count in range(1, 101):
        await until(lambda count=count: attempts == count)  # type: ignore[misc]
        clock.advance(LONGEST_WAIT_S)
    await until(lambda: attempts == 101)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert ["refused"] * 100 == reasons[:100]
