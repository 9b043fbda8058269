"""Calls that are made at once."""

import asyncio

import pytest

from services.operator.concurrently import together


async def test_results_come_in_order() -> None:
    """Whoever is done first, results stand in the order of the calls."""

    async def after(turns: int) -> int:
        for _ in range(turns):
            await asyncio.sleep(0)
        return turns

    assert [3, 1, 2] == await together(map(after, (3, 1, 2)))


async def test_the_others_have_ended_when_one_fails() -> None:
    """The first error is raised after the other calls were cancelled and have ended, their clean-up included."""
    ended = []

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append("waiting")

    async def fail() -> None:
        raise LookupError("no answer")

    with pytest.raises(LookupError, match="no answer"):
        await together((wait(), fail(), wait()))

    assert ["waiting", "waiting"] == ended
