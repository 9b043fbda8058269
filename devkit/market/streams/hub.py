"""
The open connections of one source: the sockets round the rules.

    client ──► reader ──► Stream.receive ──┐
                                           ├──► send (one at a time, but for what a fault keeps back) ──► client
    clock ───► timer ──► Stream.push/beat ─┘

A connection is one reader and one timer. Whichever ends first ends the other; both end when the application stops.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from itertools import count
from typing import Final

import orjson
from aiohttp import WSCloseCode, WSMsgType, web

from devkit.market.faults import SourceControl
from devkit.market.streams.stream import EVERYTHING, Hangup, Message, Session, Stream
from meshkit.clock import Clock

_CLOSE_S: Final = 1.0


@dataclass(slots=True)
class StreamCount:
    """Count what happened on a source's streams since the start."""

    accepted: int = 0
    refused: int = 0
    received: int = 0
    sent: int = 0
    closed_by_rule: int = 0


@dataclass(eq=False, slots=True)
class Line:
    """Hold a connection's socket, and its closing once that has begun."""

    ws: web.WebSocketResponse
    request: web.Request
    closing: asyncio.Task[bool] | None = None

    async def hang_up(self, code: int, reason: str = "") -> None:
        """Close with a code and wait for the client's close."""
        if self.closing is None:
            self.closing = asyncio.create_task(self.ws.close(code=code, message=reason.encode()))
        # Whoever waits here may be cancelled because the connection ends, but that must not cut the closing short.
        await asyncio.shield(self.closing)

    def cut(self) -> None:
        """End the connection without a close frame."""
        if self.request.transport is not None:
            self.request.transport.abort()


class Hub:
    """Serve one source's stream and act on all its connections."""

    def __init__(self, stream: Stream, control: SourceControl, clock: Clock, tick_ms: int) -> None:
        self._stream = stream
        self._control = control
        self._clock = clock
        # Nothing changes between ticks, so that a message between two would only repeat the one before.
        self._step_ms = -(-stream.push_ms // tick_ms) * tick_ms
        self._open: dict[Session, Line] = {}
        self._ids = count(1)
        self._attempts: deque[float] = deque()
        self.count = StreamCount()

    def routes(self) -> Iterable[web.RouteDef]:
        """Return the paths on which clients connect, and the stream's plain ones."""
        return (*(web.get(path, self.serve) for path in self._stream.paths), *self._stream.routes())

    def state(self) -> dict[str, int]:
        """Return the counters, and the connections and subscriptions of now."""
        counted = self.count
        return {
            "open": len(self._open),
            "subscriptions": sum(len(session.topics) for session in self._open),
            "accepted": counted.accepted,
            "refused": counted.refused,
            "received": counted.received,
            "sent": counted.sent,
            "closed_by_rule": counted.closed_by_rule,
        }

    def drop_subscriptions(self) -> int:
        """Forget every subscription without a word; return how many."""
        dropped = sum(len(session.topics) for session in self._open)
        for session in self._open:
            session.topics.clear()
            session.marks.pop(EVERYTHING, None)
        return dropped

    async def say(self, text: str) -> int:
        """Send a text to every connection as it stands; return how many there are."""
        lines = list(self._open.items())
        for session, line in lines:
            await self._send(session, line, [text])
        return len(lines)

    async def disconnect(self, *, code: int, abrupt: bool = False, notice: bool = False) -> int:
        """Close every connection: with a code, after the source's notice, or abruptly; return how many."""
        closing = list(self._open.items())
        await asyncio.gather(*(self._close(s, line, code, abrupt=abrupt, notice=notice) for s, line in closing))
        return len(closing)

    async def _close(self, session: Session, line: Line, code: int, *, abrupt: bool, notice: bool) -> None:
        if notice:
            await self._send(session, line, self._stream.goodbye(session))
        if abrupt:
            line.cut()
        else:
            await line.hang_up(code)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Hold one conversation."""
        connects = self._stream.connects
        if connects is not None and not connects.admits(self._attempts, self._clock.monotonic()):
            self.count.refused += 1
            return web.Response(text="Too Many Requests", status=429)
        if (refusal := self._stream.refusal(request, self._open)) is not None:
            return refusal
        ws = web.WebSocketResponse(autoping=False, timeout=_CLOSE_S)
        await ws.prepare(request)
        session = Session(f"{self._stream.dialect.source}-{next(self._ids)}", self._clock.monotonic())
        self._open[session] = line = Line(ws, request)
        self.count.accepted += 1
        timer = asyncio.create_task(self._until_hangup(session, line, self._time(session, line)))
        try:
            await self._until_hangup(session, line, self._read(session, line))
            if line.closing is not None:
                await line.closing
        finally:
            del self._open[session]
            timer.cancel()
            (ended,) = await asyncio.gather(timer, return_exceptions=True)
        if isinstance(ended, Exception):
            raise ended
        return ws

    async def _until_hangup(self, session: Session, line: Line, steps: Awaitable[None]) -> None:
        try:
            await steps
        except Hangup as end:
            self.count.closed_by_rule += 1
            with contextlib.suppress(ConnectionError):
                await self._send(session, line, end.last)
            await line.hang_up(end.code, end.reason)
        except ConnectionError:
            # The client is gone in the midst of a message; the reader sees the end of the connection by itself.
            return
        except Exception:
            # A mistake of ours must not look like a silent source: end the reader too, which makes it known.
            line.cut()
            raise

    async def _read(self, session: Session, line: Line) -> None:
        await self._send(session, line, self._stream.welcome(session, line.request))
        async for message in line.ws:
            if self._control.fault.half_open:
                continue
            self.count.received += 1
            if not session.hear(self._clock.monotonic(), self._stream.rate):
                await self._send(session, line, self._stream.too_fast(session))
            elif message.type is WSMsgType.TEXT:
                await self._send(session, line, self._stream.receive(session, message.data))
            elif message.type is WSMsgType.PING:
                await line.ws.pong(message.data)
            elif message.type is WSMsgType.PONG:
                session.pinged_s = None

    async def _time(self, session: Session, line: Line) -> None:
        while not line.ws.closed:
            await self._clock.sleep((self._step_ms - self._clock.time_ms() % self._step_ms) / 1000)
            if not self._control.fault.half_open:
                await self._turn(session, line, self._clock.monotonic())

    async def _turn(self, session: Session, line: Line, now_s: float) -> None:
        """Do what is due: end by age or by rule, prices, heartbeats, pings."""
        stream, fault = self._stream, self._control.fault
        lifetime_s = stream.lifetime_s if fault.lifetime_ms is None else fault.lifetime_ms / 1000
        if lifetime_s is not None and now_s - session.opened_s >= lifetime_s:
            raise Hangup(WSCloseCode.GOING_AWAY, "connection lifetime", *stream.goodbye(session))
        stream.check(session, now_s)
        if not fault.silence and await self._send(session, line, stream.push(session)):
            session.pushed_s = now_s
        await self._send(session, line, stream.beat(session, now_s))
        if stream.ping_s is None:
            return
        if session.pinged_s is not None and now_s - session.pinged_s >= stream.pong_s:
            raise Hangup(WSCloseCode.POLICY_VIOLATION, "Pong timeout")
        if now_s - session.ping_due_s >= stream.ping_s:
            session.ping_due_s = now_s
            session.pinged_s = now_s if session.pinged_s is None else session.pinged_s
            await line.ws.ping(str(self._clock.time_ms()).encode())

    async def _send(self, session: Session, line: Line, messages: Iterable[Message]) -> int:
        """Send what the faults let through; return how many."""
        sent = 0
        for message in messages:
            fault = self._control.fault
            if fault.half_open or line.ws.closed:
                break
            text = message if isinstance(message, str) else orjson.dumps(message).decode()
            await line.ws.send_str(text[: len(text) // 2] if fault.malformed else text)
            session.sent_s = self._clock.monotonic()
            self.count.sent += 1
            sent += 1
        return sent
