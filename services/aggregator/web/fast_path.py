"""
The quick way in: whole requests for kept prices are answered from the socket's bytes, all others by aiohttp.

    request ──known bytes, price kept──▶ answer
       │ anything else, once its head is whole
       ▼
    aiohttp, which has the connection from then on

So the order of answers and the framing of requests on a connection are one side's business at any time. A request's
bytes are read strictly, once; a client that asks again sends the same bytes.
"""

import asyncio
import re
from collections.abc import Callable
from email.utils import formatdate
from typing import cast

from aiohttp import web
from cachetools import LRUCache

from meshkit.clock import Clock

FastAnswer = Callable[[], bytes | None]
IDLE_S = 75.0
# A request's head comes in one piece or in a few; who needs longer keeps a connection for nothing.
HEAD_S = 10.0
LONGEST_REQUEST_BYTES = 16_384
LONGEST_HEAD_BYTES = 65_536
_HEAD_END = b"\r\n\r\n"
_MOST_REQUESTS = 256
_REQUEST = re.compile(rb"GET (/[!-~]*) HTTP/1\.1\r\n((?:[A-Za-z0-9-]+:[ \t!-~]*\r\n)*)\r\n")
_HOST = re.compile(rb"(?i)(?:^|\n)host:")
# A body, another protocol, or an end of the connection: aiohttp knows how.
_SPECIAL = re.compile(rb"(?i)(?:^|\n)(?:content-length|transfer-encoding|connection|expect|upgrade|range|if-[a-z-]+):")


def target_of(request: bytes) -> str | None:
    """Return the target of a plain GET request without body, one that is whole and alone; None for all others."""
    if len(request) > LONGEST_REQUEST_BYTES or (match := _REQUEST.fullmatch(request)) is None:
        return None
    headers = match[2]
    if len(_HOST.findall(headers)) != 1 or _SPECIAL.search(headers):
        return None
    return match[1].decode("ascii")


class FastAnswers:
    """Know by their bytes the requests that can be answered here; `find` returns what answers a target, if anything."""

    def __init__(self, find: Callable[[str], FastAnswer | None], clock: Clock) -> None:
        self._find = find
        self._clock = clock
        self._known: LRUCache[bytes, FastAnswer] = LRUCache(_MOST_REQUESTS)
        self._head = b""
        self._head_s = -1

    def to(self, request: bytes) -> bytes | None:
        """Return the answer to a request, head and body; None if it is not for us, or there is no price kept."""
        answer = self._known.get(request)
        if answer is None:
            target = target_of(request)
            answer = None if target is None else self._find(target)
            if answer is None:
                return None
            self._known[request] = answer
        body = answer()
        return None if body is None else b"%b%d\r\n\r\n%b" % (self._head_now(), len(body), body)

    def _head_now(self) -> bytes:
        second = self._clock.time_ms() // 1000
        if second != self._head_s:
            date = formatdate(second, usegmt=True)
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: {date}\r\nContent-Length: "
            self._head_s, self._head = second, head.encode()
        return self._head


class FastPathConnection(asyncio.Protocol):
    """Serve one connection until a request comes that is aiohttp's."""

    _transport: asyncio.Transport
    _timer: asyncio.TimerHandle

    def __init__(self, site: "FastPathSite") -> None:
        self._site = site
        self._asked = False
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to watch for silence."""
        self._transport = cast(asyncio.Transport, transport)
        self._site.open.add(self._transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Answer a request, wait for the rest of its head, or hand the connection over."""
        request = self._head + data if self._head else data
        if self._head and not _is_whole(request):
            self._head = request
        elif (answer := self._site.answers.to(request)) is not None:
            self._transport.write(answer)
            self._asked = True
            if self._head:
                self._head = b""
                self._timer.cancel()
                self._watch()
        elif _is_whole(request):
            self._hand_over(request)
        else:
            self._head = request
            self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_later(HEAD_S, self._transport.abort)

    def _hand_over(self, request: bytes) -> None:
        self._leave()
        handler = self._site.aiohttp()
        self._transport.set_protocol(handler)
        handler.connection_made(self._transport)
        handler.data_received(request)

    def connection_lost(self, _error: Exception | None) -> None:
        """Forget the connection."""
        self._leave()

    def pause_writing(self) -> None:
        """Take no more requests from a client that does not read the answers."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Take requests again."""
        self._transport.resume_reading()

    def _leave(self) -> None:
        self._site.open.discard(self._transport)
        self._timer.cancel()

    def _watch(self) -> None:
        self._asked = False
        self._timer = asyncio.get_running_loop().call_later(IDLE_S, self._close_if_idle)

    def _close_if_idle(self) -> None:
        if self._asked:
            self._watch()
        elif self._transport.get_write_buffer_size():
            # Closing would wait for a client that has read nothing in all that time.
            self._transport.abort()
        else:
            self._transport.close()


def _is_whole(data: bytes) -> bool:
    """Tell whether a request's head ends in these bytes, or there is nothing to wait for."""
    return _HEAD_END in data or b"\n\n" in data or len(data) > LONGEST_HEAD_BYTES


class FastPathSite(web.BaseSite):
    """Listen for an application as aiohttp's TCPSite does, with the quick way before it."""

    def __init__(self, runner: web.AppRunner, host: str, port: int, answers: FastAnswers) -> None:
        super().__init__(runner)
        self._host = host
        self._port = port
        self.answers = answers
        self.open: set[asyncio.Transport] = set()

    @property
    def name(self) -> str:
        """Return the address as a URL."""
        return f"http://{self._host}:{self._port}"

    def aiohttp(self) -> asyncio.Protocol:
        """Return a handler of aiohttp's for one connection."""
        server = self._runner.server
        assert server is not None, "a site is started after its runner's set-up"
        return server()

    async def start(self) -> None:
        """Listen; raise OSError if the address is taken."""
        await super().start()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: FastPathConnection(self), self._host, self._port)

    async def stop(self) -> None:
        """Listen no more and close what waits for a further request."""
        await super().stop()
        for transport in list(self.open):
            transport.close()
