"""
One connection of an HTTP server: its deadlines, and the two that answer on it.

    request ──whole, known to the quick way──▶ answer
       │ anything else, once its head is whole
       ▼
    aiohttp, which has the connection from then on

So the order of answers and the framing of requests on a connection are one side's business at any time.
"""

import asyncio
import math
from collections.abc import Callable
from typing import cast

from meshkit.http.connection_admission import Connections
from meshkit.http.limits import HttpLimits, peer_of

QuickAnswer = Callable[[bytes], bytes | None]
LONGEST_HEAD_BYTES = 65_536
_HEAD_END = b"\r\n\r\n"
_NO_ROOM = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 1\r\nConnection: close\r\n\r\n"


class Connection(asyncio.Protocol):
    """
    Serve one connection.

    Args:
        make_handler: Return a protocol of aiohttp's for one connection.
        on_handler: Called with the handler that has the connection, and with None once it has ended.
        quick: Answers a whole request from its bytes, if it can.

    Attributes:
        handler: Aiohttp's protocol, once it has the connection.
    """

    _transport: asyncio.Transport

    def __init__(
        self,
        limits: HttpLimits,
        connections: "Connections[Connection]",
        make_handler: Callable[[], asyncio.Protocol],
        on_handler: Callable[["Connection", asyncio.Protocol, bool], None],
        quick: QuickAnswer | None,
    ) -> None:
        self._limits = limits
        self._connections = connections
        self._make_handler = make_handler
        self._on_handler = on_handler
        self._quick = quick
        self.handler: asyncio.Protocol | None = None
        self._head = b""
        self._in_head = False
        self._in_request = False
        self._is_answering = False
        self._next_began = False
        self._deadline = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf
        self._unread: asyncio.TimerHandle | None = None

    @property
    def unsent_bytes(self) -> int:
        """Return how much of the answers the client has not taken."""
        return self._transport.get_write_buffer_size()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection if there is room, and begin to watch for silence."""
        self._loop = asyncio.get_running_loop()
        self._transport = cast(asyncio.Transport, transport)
        if not self._connections.admit(self, peer_of(transport.get_extra_info("peername"))):
            self._transport.write(_NO_ROOM)
            self._transport.close()
            return
        self._within(self._limits.idle_s)
        if self._quick is None:
            self._begin_handler()

    def data_received(self, data: bytes) -> None:
        """Answer a request, wait for the rest of its head, or give the bytes to aiohttp."""
        if self.handler is not None:
            self._pass_on(data)
            return
        request = self._head + data if self._head else data
        self._head = b""
        if (answer := self._answer(request)) is not None:
            self._transport.write(answer)
            self.wait()
            return
        self._begin_head()
        if is_whole(request):
            self._begin_handler()
            self._pass_on(request)
        else:
            self._head = request

    def take_request(self) -> None:
        """Note that a request's head is whole; its body has a deadline of its own."""
        self._in_request, self._in_head, self._is_answering = True, False, False
        self._deadline = math.inf

    def answer_request(self, *, had_body: bool) -> None:
        """Note that a request is whole and being answered; what comes from now on begins the next one."""
        self._is_answering = True
        if had_body:
            self._next_began = False
        self._connections.answers(self)

    def wait(self) -> None:
        """Wait for the next request, unless the connection has ended meanwhile."""
        if self not in self._connections.open:
            return
        self._in_request = self._in_head = False
        self._connections.waits(self)
        if self._next_began:
            self._begin_head()
        else:
            self._within(self._limits.idle_s)

    def abort(self) -> None:
        """End the connection at once."""
        self._transport.abort()

    def close(self) -> None:
        """End the connection if it waits for a request that aiohttp has not seen."""
        if self.handler is None:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        """Forget the connection."""
        self._connections.forget(self)
        for timer in (self._timer, self._unread):
            if timer is not None:
                timer.cancel()
        if self.handler is not None:
            self._on_handler(self, self.handler, False)
            self.handler.connection_lost(error)

    def eof_received(self) -> bool | None:
        """Tell aiohttp that the client sends no more."""
        return None if self.handler is None else self.handler.eof_received()

    def pause_writing(self) -> None:
        """Take no more requests from a client that does not read the answers; end it if it goes on like that."""
        self._unread = self._loop.call_later(self._limits.idle_s, self._transport.abort)
        if self.handler is None:
            self._transport.pause_reading()
        else:
            self.handler.pause_writing()

    def resume_writing(self) -> None:
        """Take requests again."""
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        if self.handler is None:
            self._transport.resume_reading()
        else:
            self.handler.resume_writing()

    def _answer(self, request: bytes) -> bytes | None:
        return None if self._quick is None else self._quick(request)

    def _begin_handler(self) -> None:
        self.handler = self._make_handler()
        self._on_handler(self, self.handler, True)
        self.handler.connection_made(self._transport)

    def _pass_on(self, data: bytes) -> None:
        if not self._in_request:
            self._begin_head()
            # A request without a body ends with its head; after a body it is unknown what else has come with it.
            self._next_began = not data.endswith(_HEAD_END)
        elif self._is_answering:
            self._next_began = True
        else:
            self._next_began = False
        cast(asyncio.Protocol, self.handler).data_received(data)

    def _begin_head(self) -> None:
        if not self._in_head:
            self._in_head = True
            self._within(self._limits.head_s)

    def _within(self, seconds: float) -> None:
        """Let the connection end after so long; one timer serves for all requests of a connection."""
        self._deadline = self._loop.time() + seconds
        if self._deadline < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._arm()

    def _arm(self) -> None:
        self._timer_at = self._deadline
        self._timer = self._loop.call_at(self._timer_at, self._look)

    def _look(self) -> None:
        self._timer, self._timer_at = None, math.inf
        if self._deadline == math.inf:
            return
        if self._loop.time() < self._deadline:
            self._arm()
        elif self._in_head or self._transport.is_closing() or self._transport.get_write_buffer_size():
            # Closing would wait for a client that has read nothing in all that time.
            self._transport.abort()
        else:
            self._transport.close()
            # A client may refuse to take even the end.
            self._within(self._limits.idle_s)


def is_whole(data: bytes) -> bool:
    """Tell whether a request's head ends in these bytes, or there is nothing to wait for."""
    return _HEAD_END in data or b"\n\n" in data or len(data) > LONGEST_HEAD_BYTES
