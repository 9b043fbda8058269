"""Server-sent events: each viewer is told what changed since it was last told, and no more than it can take."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import orjson
from aiohttp import web

from meshkit.clock import Clock
from services.metrics.page.content.changes import changes
from services.metrics.page.content.seen import MeshSeen
from services.metrics.page.content.tables import Choice, view
from services.metrics.page.content.view import View
from services.metrics.page.guard import HEADERS
from services.metrics.page.live.audience import MOST_VIEWERS, Audience

# Changes that come together are told together.
GATHER_S: Final = 0.5
ALIVE_S: Final = 15.0
# How soon the place of a viewer that went away is free.
LOOK_S: Final = 1.0
# Whoever takes longer for what it is told is let go; it comes again by itself.
SLOWEST_S: Final = 10.0

Write = Callable[[bytes], Awaitable[None]]


class Events:
    """Tell viewers what changes. Nothing waits for a slow one: it misses what was between, and has the last state."""

    def __init__(self, seen: MeshSeen, audience: Audience, clock: Clock) -> None:
        self._seen = seen
        self._audience = audience
        self._clock = clock
        self._closing = False

    async def answer(self, request: web.Request, choice: Choice) -> web.StreamResponse:
        """Tell a viewer until it goes, or cannot keep up; there is room for MOST_VIEWERS, others get 503."""
        if self._audience.is_full:
            text = f"{MOST_VIEWERS} viewers are told changes already\n"
            return web.Response(status=503, text=text, headers={"Retry-After": "10"})
        headers = {**HEADERS, "Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        try:
            await self.tell(response.write, choice, lambda: request.transport is None)
        except (ConnectionError, TimeoutError):
            if request.transport is not None:
                request.transport.abort()
        return response

    async def tell(self, write: Write, choice: Choice, is_gone: Callable[[], bool] = lambda: False) -> None:
        """
        Write changes until the server closes or the viewer is gone.

        Raises what `write` raises, and TimeoutError if it takes too long.
        """
        sent: View | None = None
        with self._audience.joined(choice):
            await self._write(write, b"retry: 1000\n\n")
            silent_s = 0.0
            while not self._closing and not is_gone():
                version, now_ms = self._seen.version, self._clock.time_ms()
                found = view(self._seen, choice, now_ms / 1000)
                if told := changes(sent, found):
                    document = orjson.dumps({"now_ms": now_ms, **told})
                    await self._write(write, b"event: changes\ndata: " + document + b"\n\n")
                    sent, silent_s = found, 0.0
                if await self._is_changed(version):
                    await self._clock.sleep(GATHER_S)
                elif (silent_s := silent_s + LOOK_S) >= ALIVE_S:
                    silent_s = 0.0
                    await self._write(write, b": nothing new\n\n")

    def close(self) -> None:
        """Let all viewers go."""
        self._closing = True
        self._seen.touch()

    async def _is_changed(self, version: int) -> bool:
        try:
            async with asyncio.timeout(LOOK_S):
                await self._seen.changed_since(version)
        except TimeoutError:
            return False
        return True

    async def _write(self, write: Write, data: bytes) -> None:
        async with asyncio.timeout(SLOWEST_S):
            await write(data)
