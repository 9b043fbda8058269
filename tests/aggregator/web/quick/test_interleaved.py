"""
One connection with many requests, quick ones and others, in pieces cut anywhere, by a client that reads when it likes.

Each request gets its own answer, once, in the order in which they were sent.
"""

import asyncio
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from meshkit.clock import ManualClock
from meshkit.http.limits import HttpLimits
from services.aggregator.web.quick.fast_path import FastAnswers
from services.aggregator.web.server import listen
from tests.aggregator.web.quick.in_memory import Transport, connected

HOST = b"Host: a\r\n"
# What waits for a client before the server is told to stop writing.
HIGH_WATER_BYTES = 400
TURNS = 30


class Socket(Transport):
    """A transport with a client that may refuse to read for a while, and a buffer of so many bytes before it."""

    def __init__(self) -> None:
        super().__init__()
        self.protocol: Any = None
        self.is_read = True
        self.is_taken = True
        self._buffer = b""
        self._is_full = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Give the client the bytes, or keep them."""
        assert not self.is_closed, "written after the end"
        self._buffer += bytes(data)
        self._flush()
        if len(self._buffer) > HIGH_WATER_BYTES and not self._is_full:
            self._is_full = True
            self.protocol.pause_writing()

    def get_write_buffer_size(self) -> int:
        """Return how much is kept."""
        return len(self._buffer)

    def pause_reading(self) -> None:
        """Give the server no more."""
        self.is_taken = False

    def resume_reading(self) -> None:
        """Give the server what comes."""
        self.is_taken = True

    def let_read(self, is_read: bool) -> None:
        """Let the client read, or not."""
        self.is_read = is_read
        self._flush()
        if not self._buffer and self._is_full:
            self._is_full = False
            self.protocol.resume_writing()

    def _flush(self) -> None:
        if self.is_read:
            self.heard, self._buffer = self.heard + self._buffer, b""


@dataclass
class World:
    """A server, whose quick way has answers while `is_ready`; its application takes `turns` of the loop for each."""

    runner: asyncio.Runner
    connect: Callable[[], asyncio.Protocol] = field(default=lambda: asyncio.Protocol())
    is_ready: bool = True
    turns: int = 0

    def find(self, target: str) -> Callable[[], bytes | None] | None:
        """Return what answers a GET."""
        return (lambda: _text(target, b"") if self.is_ready else None) if target.startswith("/quick") else None

    def find_body(self, target: str) -> Callable[[bytes], bytes | None] | None:
        """Return what answers the bodies of a POST."""
        return (lambda body: _text(target, body) if self.is_ready else None) if target.startswith("/quick") else None

    async def slow(self, request: web.Request) -> web.Response:
        """Answer in the application."""
        body = await request.read()
        for _ in range(self.turns):
            await asyncio.sleep(0)
        return web.Response(body=_text(request.path, body), content_type="application/json")


def _text(target: str, body: bytes) -> bytes:
    # Longer than the buffer, now and then.
    return target.encode() + b" " + body + b"." * (len(target) % 3 * 200)


@pytest.fixture(name="world", scope="module")
def _world() -> Iterator[World]:
    with asyncio.Runner() as runner:
        world = World(runner)
        answers = FastAnswers(world.find, ManualClock(1_800_000_000_000), world.find_body)
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", world.slow)
        opened = connected(lambda: listen(app, 0, answers, HttpLimits()))
        world.connect = runner.run(opened.__aenter__())
        yield world
        runner.run(opened.__aexit__(None, None, None))


@dataclass(frozen=True)
class Asked:
    """Hold the bytes of a request and the text of its answer."""

    sent: bytes
    answer: bytes


def _asked(kind: str, number: int, size: int) -> Asked:
    target = f"/{'quick' if kind.startswith('quick') else 'slow'}/{'x' * (number % 3)}{number}"
    body = b"b%d" % number * size
    start = f"{{}} {target} HTTP/1.1\r\n"
    match kind.split()[1]:
        case "get":
            return Asked(start.format("GET").encode() + HOST + b"\r\n", _text(target, b""))
        case "post":
            head = start.format("POST").encode() + HOST + b"Content-Length: %d\r\n\r\n" % len(body)
            return Asked(head + body, _text(target, body))
        case _:
            head = start.format("POST").encode() + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
            chunks = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            return Asked(head + chunks + b"0\r\n\r\n", _text(target, body))


KINDS = ("quick get", "quick get", "quick post", "quick post", "slow get", "slow post", "slow chunked")
# After each piece: how many turns of the loop pass, whether the client reads, whether the quick way has answers.
STEPS = st.tuples(st.integers(0, 12), st.booleans(), st.booleans())


@st.composite
def talks(draw: st.DrawFn) -> tuple[list[Asked], list[bytes], list[tuple[int, bool, bool]]]:
    """Draw requests, the pieces in which their bytes come, and what happens after each piece."""
    # More than aiohttp takes of a connection at once, now and then.
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=12)) * draw(st.sampled_from((1, 1, 1, 8)))
    asked = [_asked(kind, number, draw(st.integers(0, 3))) for number, kind in enumerate(kinds)]
    ends, sent = [0], b""
    for each in asked:
        sent += each.sent
        ends.append(len(sent))
    # Whole requests most often, as clients send them; else cut at any byte.
    cuts = set(draw(st.sets(st.sampled_from(ends)))) | set(draw(st.sets(st.integers(0, len(sent)), max_size=6)))
    places = sorted(cuts | {0, len(sent)})
    pieces = [sent[start:end] for start, end in itertools.pairwise(places)]
    steps = [draw(STEPS) for _ in pieces]
    return asked, pieces, steps


async def _talk(
    world: World, pieces: Sequence[bytes], steps: Sequence[tuple[int, bool, bool]]
) -> tuple[Socket, list[bytes]]:
    transport, connection = Socket(), world.connect()
    transport.protocol = connection
    connection.connection_made(transport)
    waiting = b""
    for piece, (turns, is_read, is_ready) in zip(pieces, steps, strict=True):
        world.is_ready = is_ready
        waiting += piece
        # As a socket does, what comes while nobody reads is there at once later.
        if transport.is_taken:
            connection.data_received(waiting)
            waiting = b""
        transport.let_read(is_read)
        for _ in range(turns):
            await asyncio.sleep(0)
    transport.let_read(True)
    quiet = 0
    while quiet < TURNS:
        before = transport.heard
        if waiting and transport.is_taken:
            connection.data_received(waiting)
            waiting = b""
        await asyncio.sleep(0)
        quiet = quiet + 1 if before == transport.heard else 0
    assert not waiting, "the server stopped reading for good"
    answers = _answers(transport.heard)
    is_closed = transport.is_closed
    connection.connection_lost(None)
    await asyncio.sleep(0)
    transport.is_closed = is_closed
    return transport, answers


def _answers(heard: bytes) -> list[bytes]:
    found = []
    while heard:
        head, end, rest = heard.partition(b"\r\n\r\n")
        assert end, heard
        assert head.startswith(b"HTTP/1.1 200 "), head
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        found.append(rest[:length])
        heard = rest[length:]
    return found


@given(talks(), st.integers(0, 5))
def test_each_request_gets_its_own_answer_in_order(
    world: World, talk: tuple[list[Asked], list[bytes], list[tuple[int, bool, bool]]], turns: int
) -> None:
    """Whatever the pieces, the pace and the reading of the client: as many answers as requests, each its own."""
    asked, pieces, steps = talk
    world.turns = turns
    transport, answers = world.runner.run(_talk(world, pieces, steps))

    assert [each.answer for each in asked] == answers
    assert not transport.is_closed


@pytest.mark.parametrize("kind", KINDS[1:])
@pytest.mark.parametrize("turns", [0, 4])
def test_a_request_may_be_cut_at_any_byte(world: World, kind: str, turns: int) -> None:
    """Between two others, at each byte, with and without turns of the loop between the pieces."""
    asked = [_asked("quick post", 1, 1), _asked(kind, 2, 2), _asked("quick get", 3, 0)]
    world.turns = 1
    for at in range(1, len(asked[1].sent)):
        pieces = [asked[0].sent, asked[1].sent[:at], asked[1].sent[at:] + asked[2].sent]
        transport, answers = world.runner.run(_talk(world, pieces, [(turns, True, True)] * 3))

        assert [each.answer for each in asked] == answers
        assert not transport.is_closed
