"""
The strict reading of a request's head: plain requests of which nothing is in doubt, and no others.

What has a meaning of its own to HTTP (other framing, conditions, other protocols, an end of the connection), what is
there twice, and what is spelled in an unusual way is left to aiohttp, which knows how.
"""

import re
from dataclasses import dataclass

# Below the limits of aiohttp's parser, so that no request is answered here that would be refused there.
LONGEST_LINE_BYTES = 8_000
MOST_HEADERS = 64
LONGEST_BODY_DIGITS = 5
_REQUEST = re.compile(rb"(GET|POST) (/[!-~]*) HTTP/1\.1\r\n((?:[A-Za-z0-9-]+:[ \t!-~]*\r\n)*)\r\n")
_LENGTH = re.compile(rb"(?i)(?:^|\n)content-length: ?(0|[1-9][0-9]{0,%d})\r\n" % (LONGEST_BODY_DIGITS - 1))
_SPECIAL = re.compile(
    rb"(?i)(?:transfer-encoding|content-encoding|connection|expect|upgrade|range|if-[a-z-]+|trailer|te)"
)


@dataclass(frozen=True, slots=True)
class Head:
    """Hold what a request asks for; `length` is that of its body, None for a GET, which has none."""

    method: str
    target: str
    length: int | None


def read_head(head: bytes) -> Head | None:
    """Return the head of a plain GET without body or POST with a stated length; None for all others."""
    if (match := _REQUEST.fullmatch(head)) is None:
        return None
    lines = match[3].split(b"\r\n")[:-1]
    names = [line.partition(b":")[0].lower() for line in lines]
    if b"host" not in names or len(set(names)) < len(names) or len(names) > MOST_HEADERS:
        return None
    if any(_SPECIAL.fullmatch(name) for name in names) or max(map(len, lines)) > LONGEST_LINE_BYTES:
        return None
    target = match[2].decode("ascii")
    if match[1] == b"GET":
        return None if b"content-length" in names else Head("GET", target, None)
    length = _LENGTH.search(match[3])
    return None if length is None else Head("POST", target, int(length[1]))
