"""
A plan made in a process of its own.

Reading and checking a configuration takes libraries of 15 MB, which the supervisor would hold for ever for something
it does once; and it never sees a secret that way, but in the file's text on its way to the services.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import orjson

from services.supervisor.errors import PlanRefused
from services.supervisor.plan import plan_json
from services.supervisor.plan.mesh_plan import MeshPlan
from services.supervisor.process.begun_program import BegunProgram, Outcome, begin_plan


async def make_plan(path: Path, owned: set[int], begun: BegunProgram | None = None) -> MeshPlan:
    """
    Return what follows from a configuration file; raises PlanRefused with every problem in it.

    `begun` is the process that makes it, if it was started already. While it runs its pid is in `owned`, since nothing
    else may wait for it.
    """
    outcome = await end_of(begun or begin_plan(path), owned)
    if outcome.code == 0:
        return plan_json.read(outcome.output)
    try:
        refusal = orjson.loads(outcome.output)
    except orjson.JSONDecodeError:
        words = outcome.errors.decode(errors="replace").strip()
        raise PlanRefused(f"the plan of {path} cannot be made: {words}") from None
    raise PlanRefused(refusal["error"])


def making(begun: BegunProgram) -> Callable[[Path, set[int]], Awaitable[MeshPlan]]:
    """Return `make_plan` for which the first plan is made already by a program that was begun."""
    at_hand = [begun]

    async def make(path: Path, owned: set[int]) -> MeshPlan:
        return await make_plan(path, owned, at_hand.pop() if at_hand else None)

    return make


async def run(command: Sequence[str], environment: Mapping[str, str], owned: set[int]) -> Outcome:
    """Run a program to its end in a session of its own; it is killed with its group when the caller is cancelled."""
    return await end_of(BegunProgram(command, environment), owned)


async def end_of(program: BegunProgram, owned: set[int]) -> Outcome:
    """Wait for a program's end; it is killed with its group when the caller is cancelled."""
    loop = asyncio.get_running_loop()
    ended = loop.create_future()
    owned.add(program.pid)
    try:
        pidfd = os.pidfd_open(program.pid)
        try:
            loop.add_reader(pidfd, ended.set_result, None)
            await ended
        finally:
            loop.remove_reader(pidfd)
            os.close(pidfd)
    finally:
        outcome = program.kill()
        owned.discard(program.pid)
    return outcome
