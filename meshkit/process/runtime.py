"""Run the main coroutine of a process."""

import asyncio
import ctypes
import gc
import sys
from collections.abc import Awaitable, Callable

import structlog
import uvloop

from meshkit.errors import MeshError

# Numbers of parameters in glibc's malloc.h.
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
_LARGE_BLOCK = 256 * 1024
_RECURSION_LIMIT = 1000


def run(main: Callable[[], Awaitable[None]]) -> None:
    """
    Run `main` on uvloop and exit the process with 0 when it returns, 1 with one log line when it raises a MeshError.

    Any other exception is a defect and ends the process with its traceback.
    """

    async def entry() -> None:
        # What the imports made lives until the end; keeping the collector off it saves CPU and shared pages.
        gc.freeze()
        # Some programs put it off until here.
        gc.enable()
        await main()

    _give_memory_back()
    # A library may have raised it, and then deep JSON ends the process in a decoder's C code instead of in an error.
    sys.setrecursionlimit(_RECURSION_LIMIT)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(entry())
    except MeshError as error:
        structlog.get_logger("meshkit.process.runtime").error(
            "fatal", reason=error.reason, error=str(error), **_fields(error)
        )
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _give_memory_back() -> None:
    # Left alone, glibc keeps the largest block that each thread ever freed: hashing one password in each thread of a
    # pool would hold 100 MB for good. Other C libraries have no such call and no such habit.
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK)
        mallopt(_M_ARENA_MAX, 2)


def _fields(error: MeshError) -> dict[str, str]:
    return {f"error_{name}": value for name, value in error.metadata.items()}
