"""
The quick way in: whole requests for kept prices are answered from the socket's bytes, all others by aiohttp.

A request's bytes are read strictly, once; a client that asks again sends the same bytes.
"""

import re
from collections.abc import Callable
from email.utils import formatdate

from cachetools import LRUCache

from meshkit.clock import Clock

FastAnswer = Callable[[], bytes | None]
LONGEST_REQUEST_BYTES = 16_384
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
