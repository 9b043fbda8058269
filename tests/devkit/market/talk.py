"""A WebSocket client that moves the market's clock while it waits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import ClientWebSocketResponse, WSMessage, WSMsgType
from aiohttp.test_utils import TestClient
from aiohttp.web import Application, Request

from meshkit.clock import ManualClock

STEP_S = 0.25
CLOSING = (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR)


class Talk:
    """Hold one conversation with the market."""

    def __init__(self, ws: ClientWebSocketResponse, clock: ManualClock) -> None:
        self.ws = ws
        self.clock = clock

    async def say(self, message: object) -> None:
        """Send a message: text as it stands, anything else as JSON."""
        await self.ws.send_str(message if isinstance(message, str) else orjson.dumps(message).decode())

    async def frame(self, *, step_s: float = STEP_S) -> WSMessage:
        """Return the next frame, advancing the clock until it comes."""
        coming = asyncio.ensure_future(self.ws.receive())
        async with asyncio.timeout(30):
            while not coming.done():
                await asyncio.wait({coming}, timeout=0.01)
                if not coming.done():
                    self.clock.advance(step_s)
        return coming.result()

    async def hear(self, *, step_s: float = STEP_S) -> Any:
        """Return the next message, JSON where it is JSON."""
        frame = await self.frame(step_s=step_s)
        assert WSMsgType.TEXT is frame.type, frame
        try:
            return orjson.loads(frame.data)
        except orjson.JSONDecodeError:
            return frame.data

    async def hear_all(self, count: int) -> list[Any]:
        """Return the next messages."""
        return [await self.hear() for _ in range(count)]

    async def hear_until(self, **fields: object) -> Any:
        """Return the first message with these fields."""
        while True:
            message = await self.hear()
            if isinstance(message, dict) and fields.items() <= message.items():
                return message

    async def end(self, *, step_s: float = 5) -> int | None:
        """Return the close code, whatever was said before."""
        while (await self.frame(step_s=step_s)).type not in CLOSING:
            pass
        return self.ws.close_code


@asynccontextmanager
async def talk(
    market: TestClient[Request, Application], clock: ManualClock, path: str, **options: Any
) -> AsyncIterator[Talk]:
    """Open a conversation."""
    async with market.ws_connect(path, **options) as ws:
        yield Talk(ws, clock)
