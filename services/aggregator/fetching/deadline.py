"""Waiting that ends at a moment of a clock, which may be a test's."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from meshkit.clock import Clock

T = TypeVar("T")


async def before(deadline: float, clock: Clock, work: Coroutine[Any, Any, T]) -> T:
    """Return what the work returns; cancel it and raise TimeoutError if the monotonic `deadline` comes first."""
    task = asyncio.ensure_future(work)
    alarm = asyncio.ensure_future(clock.sleep(max(deadline - clock.monotonic(), 0.0)))
    try:
        await asyncio.wait((task, alarm), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise TimeoutError
    finally:
        unfinished = [each for each in (task, alarm) if not each.done()]
        for each in unfinished:
            each.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
