"""Free ports and waiting for conditions."""

import asyncio
import socket
from collections.abc import Awaitable, Callable


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def eventually(condition: Callable[[], Awaitable[bool]], within_s: float, what: str) -> None:
    """Return once the condition holds; fail with `what` after the deadline."""
    try:
        async with asyncio.timeout(within_s):
            while not await condition():  # noqa: ASYNC110 # the condition lies in another process
                await asyncio.sleep(0.05)
    except TimeoutError as error:
        raise AssertionError(f"not within {within_s} s: {what}") from error
