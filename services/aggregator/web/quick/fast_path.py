"""
The quick way in: whole requests for kept prices are answered from the socket's bytes, all others by aiohttp.

    GET ──known by all of its bytes──▶ answer
    POST ──known by the bytes of its head──▶ what its body asks for ──▶ answer

A head is read strictly, once; a client that asks again sends the same bytes. The body of a node's POST is another one
each time, since it carries the job's run and the last answer.
"""

from collections.abc import Callable
from email.utils import formatdate
from typing import TypeVar

from meshkit.clock import Clock
from services.aggregator.web.quick.request_head import Head, read_head

V = TypeVar("V")

FastAnswer = Callable[[], bytes | None]
BodyAnswer = Callable[[bytes], bytes | None]
LONGEST_REQUEST_BYTES = 16_384
# Heads of nodes differ by the length of the body. When there are more, all are read anew.
_MOST_KNOWN = 256
_HEAD_END = b"\r\n\r\n"


def target_of(request: bytes) -> str | None:
    """Return the target of a plain GET request without body, one that is whole and alone; None for all others."""
    if len(request) > LONGEST_REQUEST_BYTES:
        return None
    head = read_head(request)
    return None if head is None or head.method != "GET" else head.target


class FastAnswers:
    """
    Know by their bytes the requests that can be answered here.

    Args:
        find: Return what answers a GET of a target, if anything.
        find_body: Return what answers the bodies that are posted to a target, if anything.
    """

    def __init__(
        self,
        find: Callable[[str], FastAnswer | None],
        clock: Clock,
        find_body: Callable[[str], BodyAnswer | None] = lambda _target: None,
    ) -> None:
        self._find = find
        self._find_body = find_body
        self._clock = clock
        self._known: dict[bytes, FastAnswer] = {}
        self._known_heads: dict[bytes, tuple[int, BodyAnswer]] = {}
        self._head = b""
        self._head_s = -1

    def to(self, request: bytes) -> bytes | None:
        """Return the answer to a request, head and body; None if it is not for us, or there is no price kept."""
        if request.startswith(b"POST "):
            text = self._posted(request)
        else:
            answer = self._known.get(request) or self._read(request)
            text = None if answer is None else answer()
        return None if text is None else b"%b%d\r\n\r\n%b" % (self._head_now(), len(text), text)

    def _read(self, request: bytes) -> FastAnswer | None:
        target = target_of(request)
        answer = None if target is None else self._find(target)
        if answer is not None:
            _keep(self._known, request, answer)
        return answer

    def _posted(self, request: bytes) -> bytes | None:
        """Return the JSON of the answer to a POST that is whole and alone."""
        head, _, body = request.partition(_HEAD_END)
        known = self._known_heads.get(head) or self._read_head(head, len(request))
        if known is None:
            return None
        length, answer = known
        return answer(body) if len(body) == length else None

    def _read_head(self, head: bytes, request_bytes: int) -> tuple[int, BodyAnswer] | None:
        if request_bytes > LONGEST_REQUEST_BYTES:
            return None
        match read_head(head + _HEAD_END):
            case Head("POST", target, int(length)) if (answer := self._find_body(target)) is not None:
                _keep(self._known_heads, head, (length, answer))
                return length, answer
        return None

    def _head_now(self) -> bytes:
        second = self._clock.time_ms() // 1000
        if second != self._head_s:
            date = formatdate(second, usegmt=True)
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: {date}\r\nContent-Length: "
            self._head_s, self._head = second, head.encode()
        return self._head


def _keep(known: dict[bytes, V], key: bytes, value: V) -> None:
    if len(known) >= _MOST_KNOWN:
        known.clear()
    known[key] = value
