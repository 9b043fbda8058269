"""The ends of processes that nobody waits for."""

import asyncio
import os
import subprocess

import psutil

from services.supervisor.process.orphan_reaper import OrphanReaper
from tests.waiting import until


def others() -> set[int]:
    """Return the children that other tests may have, which are none of our business."""
    return {child.pid for child in psutil.Process().children()}


async def test_orphans_are_reaped_and_owned_processes_left() -> None:
    """What a child leaves behind is reaped at its end; the exit code of one that is waited for is left."""
    owned = others()
    with OrphanReaper(owned):
        # Held back by its input, so that it is owned before it ends.
        child = subprocess.Popen(  # noqa: ASYNC220  # it is reaped by its pid
            ["sh", "-c", "read go; (sleep 0.05 & echo $!); exit 5"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        owned.add(child.pid)
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(b"go\n")
        child.stdin.flush()
        orphan = int(await asyncio.to_thread(child.stdout.readline))
        code = await asyncio.to_thread(child.wait)
        owned.discard(child.pid)
        await until(lambda: not psutil.pid_exists(orphan), "the orphan is reaped")
        child.communicate()

    assert 5 == code


async def test_what_still_runs_at_the_end_is_killed() -> None:
    """Who has left its session survives nobody, unless somebody waits for it."""
    owned = others()
    kept = subprocess.Popen(["sleep", "1000"])  # noqa: ASYNC220  # as above
    owned.add(kept.pid)
    with OrphanReaper(owned):
        script = "setsid sleep 1000 >&- 2>&- & echo $!"
        shell = subprocess.run(["sh", "-c", script], stdout=subprocess.PIPE, check=True)  # noqa: ASYNC221  # ends at once
        stray = int(shell.stdout)
        os.kill(stray, 0)
    still_there = kept.poll() is None
    kept.kill()
    kept.wait()

    assert not psutil.pid_exists(stray)
    assert still_there
