"""An exchange with a stream, on a real socket: it speaks Kraken's language and does what a test tells it to."""

import asyncio
import json
from dataclasses import dataclass, field, replace
from typing import ClassVar

from aiohttp import WSMsgType, web

from services.aggregator.streams.kraken import KrakenStream
from services.aggregator.streams.protocol import Ping, Rules

FIRST_MS = 1_700_000_000_000


class QuickStream(KrakenStream):
    """Kraken's language with rules that a test can wait for."""

    RULES: ClassVar[Rules] = replace(
        KrakenStream.RULES,
        batch=3,
        symbols_per_connection=5,
        message_gap_s=0.01,
        connect_gap_s=0.02,
        ping=None,
        silence_s=0.5,
    )


class OnceStream(QuickStream):
    """A provider that allows one connection a client."""

    RULES: ClassVar[Rules] = replace(QuickStream.RULES, most_connections=1)


class ShortStream(QuickStream):
    """A provider whose connections do not live long."""

    RULES: ClassVar[Rules] = replace(QuickStream.RULES, lifetime_s=0.4)


class QuietStream(QuickStream):
    """A provider whose connections are made anew when no price comes."""

    RULES: ClassVar[Rules] = replace(QuickStream.RULES, quiet_s=0.3)


class PingingStream(QuickStream):
    """A provider that wants to be pinged."""

    RULES: ClassVar[Rules] = replace(QuickStream.RULES, ping=Ping(0.1, lambda _id: '{"method":"ping"}'))


@dataclass
class StreamExchange:
    """
    Serve a stream.

    Attributes:
        unknown: The symbols it rejects.
        mute: True to say nothing any more, with the connections left open.
        refuse: How many connects to answer with HTTP 503, or with `refusal`.
        asked: Each symbol that a client subscribed to, connection by connection, in the order of the messages.
        messages: What a client sent, connection by connection, with the moment of its arrival.
        most_open: How many connections there were at once at most.
    """

    url: str = ""
    unknown: set[str] = field(default_factory=set)
    mute: bool = False
    refuse: int = 0
    refusal: tuple[int, dict[str, str]] = (503, {})
    asked: list[list[str]] = field(default_factory=list)
    messages: list[list[tuple[float, dict[str, object]]]] = field(default_factory=list)
    open: list[web.WebSocketResponse] = field(default_factory=list)
    subscribed: dict[web.WebSocketResponse, set[str]] = field(default_factory=dict)
    most_open: int = 0
    queries: list[str] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Speak with one client until it leaves."""
        self.queries.append(request.query_string)
        if self.refuse > 0:
            self.refuse -= 1
            status, headers = self.refusal
            return web.Response(status=status, headers=headers)
        ws = web.WebSocketResponse(autoping=not self.mute)
        await ws.prepare(request)
        number = len(self.asked)
        self.asked.append([])
        self.messages.append([])
        self.open.append(ws)
        self.subscribed[ws] = set()
        self.most_open = max(self.most_open, len(self.open))
        beats = asyncio.create_task(self._beat(ws))
        try:
            async for message in ws:
                if message.type is WSMsgType.TEXT:
                    await self._answer(ws, number, json.loads(message.data))
        finally:
            beats.cancel()
            self.open.remove(ws)
            del self.subscribed[ws]
        return ws

    async def say(self, symbol: str, price: str, time_ms: int = FIRST_MS) -> None:
        """Send a price, as a JSON number, to those who subscribed to it."""
        seconds, milliseconds = divmod(time_ms - FIRST_MS, 1000)
        moment = f"2023-11-14T22:{13 + (20 + seconds) // 60:02d}:{(20 + seconds) % 60:02d}.{milliseconds:03d}000Z"
        row = f'{{"symbol":"{symbol}","bid":{price},"ask":{price},"last":{price},"timestamp":"{moment}"}}'
        for ws, symbols in list(self.subscribed.items()):
            if symbol in symbols:
                await ws.send_str(f'{{"channel":"ticker","type":"update","data":[{row}]}}')

    async def shout(self, text: str) -> None:
        """Send a text to everybody."""
        for ws in list(self.open):
            await ws.send_str(text)

    async def hang_up(self) -> None:
        """Close all connections."""
        for ws in list(self.open):
            await ws.close(code=1001)

    def holds(self, *symbols: str) -> bool:
        """Tell whether all connections together have exactly these subscriptions, none of them twice."""
        return sorted(symbols) == sorted(symbol for held in self.subscribed.values() for symbol in held)

    async def _beat(self, ws: web.WebSocketResponse) -> None:
        while True:
            await asyncio.sleep(0.05)
            if not self.mute and self.subscribed[ws]:
                await ws.send_str('{"channel":"heartbeat"}')

    async def _answer(self, ws: web.WebSocketResponse, number: int, message: dict[str, object]) -> None:
        self.messages[number].append((asyncio.get_running_loop().time(), message))
        params = message.get("params")
        if self.mute or not isinstance(params, dict):
            return
        for symbol in params["symbol"]:
            answer: dict[str, object] = {"method": message["method"], "req_id": message["req_id"], "success": True}
            if message["method"] == "unsubscribe":
                self.subscribed[ws].discard(symbol)
            elif symbol in self.unknown:
                self.asked[number].append(symbol)
                answer |= {"success": False, "error": f"Currency pair not supported {symbol}", "symbol": symbol}
            else:
                self.asked[number].append(symbol)
                self.subscribed[ws].add(symbol)
                answer["result"] = {"channel": "ticker", "symbol": symbol}
            await ws.send_str(json.dumps(answer))
