"""
Ports for servers that a test is about to start.

A port that is merely free may be taken before its server has it: by another test, or by an outgoing connection. So each
process takes them from a block of its own, below the ports that the system gives to outgoing connections.
"""

import fcntl
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from itertools import cycle
from pathlib import Path

HOST = "127.0.0.1"
# Above those of whole meshes, see tests/mesh/running.py.
BLOCKS = tuple(range(start, start + 500) for start in range(21_000, 32_500, 500))


def free_port() -> int:
    """Return a port that nobody listens on, and that nobody else is given until hundreds were."""
    return free_base(1) + 1


def free_base(count: int) -> int:
    """Return a port whose `count` successors are such ports."""
    block = _block()
    for _ in range(2 * len(block)):
        base = next(_starts())
        if base + count < block.stop and is_free(*range(base + 1, base + count + 1)):
            for _ in range(count - 1):
                next(_starts())
            return base
    raise RuntimeError(f"no {count} free ports in {block}")


def is_free(*ports: int) -> bool:
    """Tell whether nobody listens on any of the ports."""
    with ExitStack() as stack:
        try:
            for port in ports:
                stack.enter_context(socket.create_server((HOST, port)))
        except OSError:
            return False
    return True


def is_ours(name: str) -> bool:
    """Take a name for this process until its end, unless it is taken already; tell whether it was not."""
    # It is never closed, so that the lock ends with the process.
    lock = os.open(Path(tempfile.gettempdir()) / f"feedmesh-tests-{name}", os.O_CREAT | os.O_RDONLY, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return False
    return True


@cache
def _block() -> range:
    return next(block for block in BLOCKS if is_ours(f"ports-{block.start}"))


@cache
def _starts() -> Iterator[int]:
    return cycle(range(_block().start - 1, _block().stop - 1))
