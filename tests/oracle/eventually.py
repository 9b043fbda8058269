"""Wait for conditions of other processes."""

import asyncio
from collections.abc import Awaitable, Callable


async def eventually(condition: Callable[[], Awaitable[bool]], within_s: float, what: str) -> None:
    """Return once the condition holds; fail with `what` after the deadline."""
    try:
        async with asyncio.timeout(within_s):
            while not await condition():  # noqa: ASYNC110 # the condition lies in another process
                await asyncio.sleep(0.05)
    except TimeoutError as error:
        raise AssertionError(f"not within {within_s} s: {what}") from error
