"""How many requests and wrong passwords are taken of whom."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshkit.clock import ManualClock
from services.oracle.rest.jsonapi import Refused
from services.oracle.rest.peers import Peer
from services.oracle.rest.request_limits import LoginLimit, RequestLimit

STRANGER, OTHER, OURS = Peer("192.0.2.7"), Peer("192.0.2.8"), Peer("127.0.0.1 uid 0", is_ours=True)


async def _attempt(limit: LoginLimit, peer: Peer, *, right: bool) -> int:
    """Try to log in; return the status of the answer."""
    try:
        async with limit.attempt(peer) as attempt:
            if not right:
                raise attempt.refusal()
            attempt.was_right = True
    except Refused as refused:
        return refused.status
    return 200


@given(st.lists(st.integers(0, 30), min_size=1, max_size=60), st.integers(1, 5), st.integers(1, 40))
@settings(deadline=None)
def test_no_period_has_more_than_is_allowed(steps_s: list[int], most: int, period_s: int) -> None:
    """In any period of that length at most that many requests are taken, and one is refused only if they were."""
    clock = ManualClock()
    limit = RequestLimit(most, period_s, clock)
    taken: list[float] = []
    for step_s in steps_s:
        clock.advance(step_s)
        recent = [at_s for at_s in taken if clock.monotonic() - at_s < period_s]
        allowed = limit.allow("x")
        assert allowed == (len(recent) < most)
        if allowed:
            taken.append(clock.monotonic())


def test_many_keys_cost_no_more() -> None:
    """Of very many keys the first are forgotten."""
    limit = RequestLimit(1, 60, ManualClock())
    assert limit.allow("first")
    assert not limit.allow("first")
    for number in range(1024):
        assert limit.allow(str(number))

    assert limit.allow("first")


async def test_a_guesser_keeps_nobody_out() -> None:
    """Who was wrong too often is refused, right or wrong, until the period is over; others are not."""
    clock = ManualClock()
    limit = LoginLimit(5, 20, clock)
    assert [401] * 5 + [429] * 3 == [await _attempt(limit, STRANGER, right=False) for _ in range(8)]
    assert 429 == await _attempt(limit, STRANGER, right=True)

    assert 200 == await _attempt(limit, OTHER, right=True)
    assert 200 == await _attempt(limit, OURS, right=True)
    clock.advance(20)
    assert 200 == await _attempt(limit, STRANGER, right=True)


async def test_right_passwords_do_not_count() -> None:
    """An operator whose program logs in each time may do so as often as it likes."""
    limit = LoginLimit(2, 20, ManualClock())

    assert [200] * 50 == [await _attempt(limit, STRANGER, right=True) for _ in range(50)]
    assert [401, 200, 401, 429] == [
        await _attempt(limit, STRANGER, right=right) for right in (False, True, False, True)
    ]


async def test_the_operator_beside_a_guesser_of_its_own_user() -> None:
    """A process of the node's own user gets in with the right password however often another was wrong."""
    limit = LoginLimit(2, 20, ManualClock())
    assert [401, 401, 429, 429] == [await _attempt(limit, OURS, right=False) for _ in range(4)]

    assert 200 == await _attempt(limit, OURS, right=True)


async def test_few_are_checked_at_once() -> None:
    """Two passwords are checked at a time and few wait; the rest of a flood is refused at once, and none is stuck."""
    limit = LoginLimit(1000, 20, ManualClock())
    most = running = 0
    go = asyncio.Event()

    async def attempt() -> int:
        nonlocal most, running
        try:
            async with limit.attempt(STRANGER) as one:
                running += 1
                most = max(most, running)
                await go.wait()
                running -= 1
                raise one.refusal()
        except Refused as refused:
            return refused.status

    flood = [asyncio.create_task(attempt()) for _ in range(40)]
    while len(done := [task for task in flood if task.done()]) < 24:
        await asyncio.wait([task for task in flood if task not in done], return_when=asyncio.FIRST_COMPLETED)
    go.set()

    answers = await asyncio.gather(*flood)
    assert (24, 16) == (answers.count(429), answers.count(401))
    assert 2 == most
    assert 200 == await _attempt(limit, STRANGER, right=True)


async def test_a_caller_that_goes_leaves_its_place() -> None:
    """An attempt whose caller hangs up counts as wrong and blocks no other."""
    limit = LoginLimit(1, 20, ManualClock())
    entered = asyncio.Event()

    async def hang() -> None:
        async with limit.attempt(OURS):
            entered.set()
            await asyncio.Event().wait()

    assert 401 == await _attempt(limit, OURS, right=False)
    task = asyncio.create_task(hang())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert 200 == await _attempt(limit, OURS, right=True)
