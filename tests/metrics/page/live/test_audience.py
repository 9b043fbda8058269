"""Nothing is followed while nobody looks."""

import asyncio

import grpc
import grpc.aio
import pytest

from meshkit.clock import ManualClock
from services.metrics.page.content.tables import Choice
from services.metrics.page.live.audience import LEASE_S, MOST_VIEWERS, Audience


class _Followed:
    """Tell how often it was begun, and whether it goes on."""

    def __init__(self) -> None:
        self.begun = 0
        self.goes_on = False

    async def follow(self) -> None:
        self.begun += 1
        self.goes_on = True
        try:
            await asyncio.Event().wait()
        finally:
            self.goes_on = False


async def _settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_what_is_followed_goes_with_the_viewers() -> None:
    """It is begun with the first viewer, goes on with the second, ends after the last, and is begun again."""
    clock, followed = ManualClock(), _Followed()
    audience = Audience(clock)
    running = asyncio.create_task(audience.run([followed.follow]))
    await _settled()
    assert (0, False) == (followed.begun, followed.goes_on)
    with audience.joined(Choice()):
        await _settled()
        with audience.joined(Choice("x")):
            assert [Choice(), Choice("x")] == audience.choices
        clock.advance(1)
        await _settled()
        assert (1, True) == (followed.begun, followed.goes_on)
    clock.advance(1)
    await _settled()
    assert (1, False) == (followed.begun, followed.goes_on)
    with audience.joined(Choice()):
        await _settled()
        assert (2, True) == (followed.begun, followed.goes_on)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert not followed.goes_on


async def test_a_glance_counts_for_a_while() -> None:
    """Whoever loads the page without a script counts until the next load would have come."""
    clock = ManualClock()
    audience = Audience(clock)
    audience.glanced(Choice(page=2))
    assert (True, [Choice(page=2)]) == (audience.is_there, audience.choices)

    clock.advance(LEASE_S)
    assert (False, []) == (audience.is_there, audience.choices)


async def test_a_server_that_is_gone_is_asked_again() -> None:
    """A broken stream is begun again after a moment; a defect of ours is raised to whoever runs the tasks."""
    clock, calls = ManualClock(), list[int]()
    audience = Audience(clock)

    async def follow() -> None:
        calls.append(1)
        if len(calls) > 2:
            raise ValueError
        metadata = grpc.aio.Metadata()
        raise grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, metadata, metadata)

    running = asyncio.create_task(audience.run([follow]))
    with audience.joined(Choice()):
        for _ in range(4):
            await _settled()
            clock.advance(1)
        with pytest.raises(ValueError):
            await running
    assert 3 == len(calls)


async def test_there_is_room_for_so_many() -> None:
    """Viewers are bounded, and a place that is left is free again."""
    audience = Audience(ManualClock())
    opened = [audience.joined(Choice()) for _ in range(MOST_VIEWERS)]
    for each in opened:
        assert not audience.is_full
        each.__enter__()
    assert audience.is_full

    opened[0].__exit__(None, None, None)
    assert not audience.is_full
