"""Waiting for something to come true."""

import asyncio
from collections.abc import Awaitable, Callable


async def until(
    condition: Callable[[], bool | Awaitable[bool]], what: str = "the condition", timeout_s: float = 45
) -> None:
    """Return when the condition holds; fail, saying what was waited for, if it does not in time."""
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                holds = condition()
                if holds if isinstance(holds, bool) else await holds:
                    return
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"not within {timeout_s} s: {what}") from None
