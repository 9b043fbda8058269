"""Free ports and waiting for conditions."""

import asyncio
import random
import socket
from collections.abc import Awaitable, Callable

_GIVEN: set[int] = set()
# Below the ports that the system gives to outgoing connections, one of which would else take a port before its server.
_FIRST, _LAST = 20_000, 32_000


def free_port() -> int:
    """Return a port nobody listens on, and no other call was given."""
    while True:
        port = random.randint(_FIRST, _LAST)
        if port in _GIVEN:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _GIVEN.add(port)
        return port


async def eventually(condition: Callable[[], Awaitable[bool]], within_s: float, what: str) -> None:
    """Return once the condition holds; fail with `what` after the deadline."""
    try:
        async with asyncio.timeout(within_s):
            while not await condition():  # noqa: ASYNC110 # the condition lies in another process
                await asyncio.sleep(0.05)
    except TimeoutError as error:
        raise AssertionError(f"not within {within_s} s: {what}") from error
