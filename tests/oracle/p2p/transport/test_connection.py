"""One connection between two peers: its streams, their turns, and what ends it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from meshkit.clock import ManualClock
from services.oracle.p2p.errors import ConnectionEnded
from services.oracle.p2p.identity import PeerKey
from services.oracle.p2p.transport.connection import Connection
from services.oracle.p2p.transport.frames import Frame, FrameParser, FrameType, stream_id
from services.oracle.p2p.transport.limits import StreamLimits, TokenBucket
from services.oracle.p2p.transport.streams import Stream
from services.oracle.p2p.transport.tls import TlsStream
from tests.oracle.p2p.transport.loopback import DIALER, LISTENER, shaken

LIMITS = StreamLimits(1_000, 1_000.0, 1_000, 1_000_000.0, 1_000_000)


class End:
    """One end of a connection, with its table of streams."""

    def __init__(self, tls: TlsStream, own: PeerKey, other: PeerKey, names: tuple[str, ...], raw_bytes: float) -> None:
        self.own, self.other = own, other
        self.clock = ManualClock()
        self.counters: Counter[str] = Counter()
        self.streams: dict[bytes, Stream] = {}
        self.arrived = asyncio.Event()
        for name in names:
            self.add(name)
        self.connection = Connection(
            tls,
            own.public_key,
            other.public_key,
            self.streams,
            raw_bytes=TokenBucket(0.0, raw_bytes, 0.0),
            clock=self.clock,
            counters=self.counters,
        )

    def add(self, name: str) -> Stream:
        """Open a stream here, without telling the other end."""
        stream = Stream(
            self.own.public_key,
            self.other.public_key,
            name,
            LIMITS,
            now_s=0.0,
            arrived=self.arrived,
            on_outgoing=lambda stream: self.connection.wake(stream),
            counters=self.counters,
        )
        self.streams[stream.id] = stream
        return stream

    def stream(self, name: str) -> Stream:
        """Return a stream of this end."""
        return self.streams[stream_id(self.own.public_key, self.other.public_key, name)]

    async def received(self, name: str, count: int = 1) -> list[bytes]:
        """Return a stream's messages once there are as many."""
        while len(self.stream(name).incoming) < count:
            self.arrived.clear()
            await self.arrived.wait()
        return self.stream(name).incoming


@asynccontextmanager
async def connected(*names: str) -> AsyncIterator[tuple[End, End]]:
    """Give two ends that run, with streams of these names."""
    async with shaken() as (dialer, listener):
        ends = End(dialer, DIALER, LISTENER, names, 1e9), End(listener, LISTENER, DIALER, names, 1e9)
        tasks = [asyncio.create_task(end.connection.run()) for end in ends]
        try:
            yield ends
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@dataclass
class Raw:
    """Hold an end that runs, and the TLS stream of one that sends what it likes."""

    end: End
    tls: TlsStream
    running: "asyncio.Task[str]"


@asynccontextmanager
async def against(*names: str, raw_bytes: float = 1e9) -> AsyncIterator[Raw]:
    """Give an end that runs against bytes made by hand."""
    async with shaken() as (dialer, listener):
        end = End(listener, LISTENER, DIALER, names, raw_bytes)
        running = asyncio.create_task(end.connection.run())
        try:
            yield Raw(end, dialer, running)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def _id(name: str) -> bytes:
    return stream_id(DIALER.public_key, LISTENER.public_key, name)


def _open(name: str) -> bytes:
    return Frame(FrameType.OPEN, _id(name), name.encode()).encode()


async def _frames(tls: TlsStream, count: int) -> list[Frame]:
    """Read as many frames as that."""
    parser = FrameParser(lambda _: 1_000_000)
    frames: list[Frame] = []
    while len(frames) < count:
        frames += parser.feed((await tls.read())[0])
    return frames


async def test_messages_go_both_ways_in_order() -> None:
    """Messages of a stream arrive at the other end's stream of that name, in order, and at no other."""
    async with connected("a", "b") as (one, other):
        for number in range(5):
            one.stream("a").send(b"to %d" % number)
            other.stream("b").send(b"fro %d" % number)

        assert [b"to %d" % number for number in range(5)] == await other.received("a", 5)
        assert [b"fro %d" % number for number in range(5)] == await one.received("b", 5)
        assert [] == other.stream("b").incoming
        assert [] == one.stream("a").incoming


async def test_a_message_waits_for_the_other_end_to_open_its_stream() -> None:
    """What is sent before the peer has the stream is kept, and goes once the peer announces it."""
    async with connected("first") as (one, other):
        early = one.add("late")
        one.connection.announce(early)
        early.send(b"kept")
        one.stream("first").send(b"after it")
        await other.received("first")
        assert [b"kept"] == early.outgoing

        other.connection.announce(other.add("late"))
        assert [b"kept"] == await other.received("late")


async def test_nothing_goes_to_a_stream_that_was_closed() -> None:
    """After the peer has retracted a stream, its messages wait here again."""
    async with against("a") as raw:
        close = Frame(FrameType.CLOSE, _id("a")).encode()
        await raw.tls.write(_open("a") + Frame(FrameType.DATA, _id("a"), b"1").encode() + close)
        await raw.tls.write(_open("b") + Frame(FrameType.DATA, _id("a"), b"2").encode())
        await raw.end.received("a", 2)
        raw.end.stream("a").send(b"late")
        raw.end.add("b").send(b"through")

        opened, data = await _frames(raw.tls, 2)
        assert (FrameType.OPEN, b"a") == (opened.type, opened.payload)
        assert (_id("b"), b"through") == (data.stream_id, data.payload)
        assert [b"late"] == raw.end.stream("a").outgoing


async def test_streams_take_turns() -> None:
    """A stream with ten messages lets another's one message go after its first."""
    async with against("busy", "quiet") as raw:
        for number in range(10):
            raw.end.stream("busy").send(b"%d" % number)
        raw.end.stream("quiet").send(b"q")
        await raw.tls.write(_open("busy") + _open("quiet"))

        data = [frame.payload for frame in await _frames(raw.tls, 13) if frame.type is FrameType.DATA]
        assert [b"0", b"q", b"1"] == data[:3]
        assert [b"%d" % number for number in range(2, 10)] == data[3:]


async def test_data_of_streams_that_nobody_has_is_skipped() -> None:
    """Data for an unknown stream is counted and dropped, and what follows it is read."""
    async with against("a") as raw:
        unknown = Frame(FrameType.DATA, _id("nobody's"), b"x" * 5_000).encode()
        await raw.tls.write(unknown + Frame(FrameType.DATA, _id("a"), b"known").encode())

        assert [b"known"] == await raw.end.received("a")
        assert 1 == raw.end.counters["data_of_unknown_stream"]


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"\x09" + bytes(36), "unknown type 9"),
        (Frame(FrameType.OPEN, _id("a"), b"b").encode(), "a stream id that is not that of its name"),
        (Frame(FrameType.OPEN, _id("a"), b"\xff").encode(), "a stream name that is no text"),
        (Frame(FrameType.OPEN, _id("a")).encode(), "a stream name of 0 bytes"),
        (Frame(FrameType.CLOSE, _id("a"), b"x").encode(), "a close frame with 1 bytes"),
        (Frame(FrameType.DATA, _id("a"), bytes(1_001)).encode(), "a message of 1001 bytes on a stream that takes 1000"),
        (b"".join(_open(str(number)) for number in range(2_001)), "more than 2000 streams"),
        (_open("a") * 4_001, "too many streams opened and closed"),
    ],
    ids=["type", "id", "name", "no name", "close", "long", "streams", "control"],
)
async def test_what_breaks_the_rules_ends_the_connection(sent: bytes, reason: str) -> None:
    """A frame against the rules ends the connection, which says why, and closes its socket."""
    async with against("a") as raw:
        await raw.tls.write(sent)

        assert reason in await raw.running
        await _until_closed(raw.tls)


async def test_more_bytes_than_the_streams_need() -> None:
    """A peer that sends more than all streams together may need is cut off, even with what would be skipped."""
    async with against("a", raw_bytes=20_000) as raw:
        await raw.tls.write(Frame(FrameType.DATA, _id("nobody's"), bytes(30_000)).encode())

        assert "more bytes than all streams together may need" == await raw.running


async def test_a_peer_that_hangs_up() -> None:
    """The connection ends by itself when the other end goes, and says so."""
    async with against("a") as raw:
        await raw.tls.close()

        assert await raw.running


async def test_a_connection_that_never_ran_closes() -> None:
    """Closing does not need the connection to have run."""
    async with shaken() as (dialer, listener):
        await End(listener, LISTENER, DIALER, (), 1e9).connection.close()
        await _until_closed(dialer)


async def _until_closed(tls: TlsStream) -> None:
    """Return when the other end has closed; ConnectionEnded is how that is told."""

    async def read_on() -> None:
        while True:
            await tls.read()

    with pytest.raises(ConnectionEnded):
        await read_on()
