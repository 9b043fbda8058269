"""Several questions at once, none of which outlives its answer."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

_T = TypeVar("_T")


async def together(calls: Iterable[Coroutine[Any, Any, _T]]) -> list[_T]:
    """
    Return all results in order; raises the first error, once the other calls are cancelled and have ended.

    `asyncio.gather` alone would leave them running, and they would open connections anew that somebody closed since.
    """
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
