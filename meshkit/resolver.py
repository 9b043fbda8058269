"""
Look names up so that one that hangs holds up no other.

The system's look-up blocks its thread, for half a minute if the name servers are silent, and cannot be cancelled. Where
few threads are shared, a few such names stop the look-up of all. Here each name has a thread of its own, one at most,
which nobody waits for when the process ends; the last good answer serves while the next one is late or fails.
"""

import asyncio
import socket
from collections.abc import Callable
from threading import Thread
from typing import Any, Final, TypeAlias

from aiohttp.abc import AbstractResolver, ResolveResult
from cachetools import TTLCache

LOOK_UP_S: Final = 5.0
"""How long an answer is waited for."""
MOST_LOOK_UPS: Final = 64
"""How many names may be looked up at once."""
_KEPT_S: Final = 3_600.0
_MOST_KEPT: Final = 256
_NUMERIC: Final = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV

_Name: TypeAlias = tuple[str, socket.AddressFamily]
_Addresses: TypeAlias = list[tuple[Any, ...]]
LookUp: TypeAlias = Callable[..., _Addresses]


class HostResolver(AbstractResolver):
    """
    Resolve names for an HTTP session.

    Args:
        look_up: What to call in a thread; None for socket.getaddrinfo.
        look_up_s: How long an answer is waited for.
    """

    def __init__(self, look_up: LookUp | None = None, look_up_s: float = LOOK_UP_S) -> None:
        self._look_up = look_up or socket.getaddrinfo
        self._look_up_s = look_up_s
        self._running: dict[_Name, asyncio.Future[_Addresses]] = {}
        self._kept: TTLCache[_Name, _Addresses] = TTLCache(_MOST_KEPT, _KEPT_S)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a host; raise OSError if there are none, or none in time and none from before."""
        name = (host, family)
        try:
            async with asyncio.timeout(self._look_up_s):
                found = await asyncio.shield(self._join(name))
        except OSError as error:
            if name not in self._kept:
                why = f"no answer in {self._look_up_s:g} s" if isinstance(error, TimeoutError) else str(error)
                raise OSError(None, f"{host} was not found: {why}") from None
            found = self._kept[name]
        return [
            ResolveResult(hostname=host, host=address[0], port=port, family=kind, proto=protocol, flags=_NUMERIC)
            for kind, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        """Wait for nothing: a look-up under way ends by itself, and its answer is not used."""
        self._running.clear()

    def _join(self, name: _Name) -> "asyncio.Future[_Addresses]":
        running = self._running.get(name)
        if running is None:
            if len(self._running) >= MOST_LOOK_UPS:
                raise OSError(None, f"{len(self._running)} names are being looked up already")
            loop = asyncio.get_running_loop()
            running = self._running[name] = loop.create_future()
            # Nobody may be left who waits, and then a failure is no news.
            running.add_done_callback(lambda done: done.cancelled() or done.exception())
            try:
                Thread(target=self._run, args=(name, running, loop), name=f"look-up of {name[0]}", daemon=True).start()
            except RuntimeError as error:
                del self._running[name]
                raise OSError(None, str(error)) from None
        return running

    def _run(self, name: _Name, running: "asyncio.Future[_Addresses]", loop: asyncio.AbstractEventLoop) -> None:
        outcome: _Addresses | OSError
        try:
            outcome = self._look_up(name[0], 0, family=name[1], type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
        except (OSError, UnicodeError) as error:
            outcome = error if isinstance(error, OSError) else OSError(None, str(error))
        try:
            loop.call_soon_threadsafe(self._finish, name, running, outcome)
        except RuntimeError:
            return  # the loop is closed: the process ends

    def _finish(self, name: _Name, running: "asyncio.Future[_Addresses]", outcome: "_Addresses | OSError") -> None:
        if self._running.get(name) is running:
            del self._running[name]
        if not isinstance(outcome, OSError):
            self._kept[name] = outcome
        if running.done():
            return
        if isinstance(outcome, OSError):
            running.set_exception(outcome)
        else:
            running.set_result(outcome)
