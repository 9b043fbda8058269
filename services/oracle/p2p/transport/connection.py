"""One authenticated connection: frames in, frames out, until either end has enough."""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Mapping

from meshkit.clock import Clock
from services.oracle.p2p.errors import FrameRefused, P2pError
from services.oracle.p2p.transport.frames import Frame, FrameParser, FrameType, stream_id
from services.oracle.p2p.transport.limits import TokenBucket
from services.oracle.p2p.transport.streams import Stream
from services.oracle.p2p.transport.tls import TlsStream

_MAX_CONTROL_FRAMES = 4_000
_MAX_STREAMS = 2_000
_WRITE_TIMEOUT_S = 5.0
# One TLS record holds 16 KiB: what waits together goes out together.
_WRITTEN_TOGETHER = 16_384


class Connection:
    """
    Carry the streams between this node and one peer.

    `streams` is the peer's live table of streams by id; the connection announces them all at its start. Data goes out
    on a stream only after the peer has opened it too.
    """

    def __init__(
        self,
        tls: TlsStream,
        own_key: bytes,
        peer_key: bytes,
        streams: Mapping[bytes, Stream],
        *,
        raw_bytes: TokenBucket,
        clock: Clock,
        counters: Counter[str],
    ) -> None:
        self._tls = tls
        self._own_key = own_key
        self._peer_key = peer_key
        self._streams = streams
        self._raw_bytes = raw_bytes
        self._clock = clock
        self._counters = counters
        self._parser = FrameParser(self._limit_of)
        self._opened: set[bytes] = set()
        self._control_frames = 0
        self._control: deque[Frame] = deque()
        self._ready: OrderedDict[bytes, None] = OrderedDict()
        self._work = asyncio.Event()
        for stream in streams.values():
            self.announce(stream)

    async def run(self) -> str:
        """Carry frames until the connection ends; return why it did."""
        reason = "ended"
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read())
                tasks.create_task(self._write())
        except* (P2pError, TimeoutError) as group:
            reason = str(group.exceptions[0]) or "a write took too long"
        finally:
            await self._tls.close()
        return reason

    async def close(self) -> None:
        """Close the socket at once, whether or not the connection ever ran."""
        await self._tls.close()

    def announce(self, stream: Stream) -> None:
        """Tell the peer that a stream exists here."""
        self._control.append(Frame(FrameType.OPEN, stream.id, stream.name.encode()))
        self._work.set()

    def retract(self, stream: Stream) -> None:
        """Tell the peer that a stream is gone here."""
        self._control.append(Frame(FrameType.CLOSE, stream.id))
        self._work.set()

    def wake(self, stream: Stream) -> None:
        """Send what waits in a stream, in its turn."""
        self._ready[stream.id] = None
        self._work.set()

    async def _read(self) -> None:
        while True:
            data, raw = await self._tls.read()
            now_s = self._clock.monotonic()
            if not self._raw_bytes.take(raw, now_s):
                raise FrameRefused("more bytes than all streams together may need")
            for frame in self._parser.feed(data):
                self._handle(frame, now_s)

    def _handle(self, frame: Frame, now_s: float) -> None:
        if frame.type is FrameType.DATA:
            stream = self._streams.get(frame.stream_id)
            if stream is not None:
                stream.take_in(frame.payload, now_s)
            return
        self._control_frames += 1
        if self._control_frames > _MAX_CONTROL_FRAMES:
            raise FrameRefused("too many streams opened and closed")
        if frame.type is FrameType.CLOSE:
            self._opened.discard(frame.stream_id)
            return
        self._check_name(frame)
        # A stream unknown here is kept in mind: it may be opened here later.
        self._opened.add(frame.stream_id)
        if len(self._opened) > _MAX_STREAMS:
            raise FrameRefused(f"more than {_MAX_STREAMS} streams")
        # Something may have been waiting for this.
        if (stream := self._streams.get(frame.stream_id)) is not None:
            self.wake(stream)

    def _check_name(self, frame: Frame) -> None:
        try:
            name = frame.payload.decode()
        except UnicodeDecodeError as error:
            raise FrameRefused("a stream name that is no text") from error
        if stream_id(self._own_key, self._peer_key, name) != frame.stream_id:
            raise FrameRefused("a stream id that is not that of its name")

    async def _write(self) -> None:
        while True:
            data = bytearray()
            while len(data) < _WRITTEN_TOGETHER and (frame := self._next_frame()) is not None:
                data += frame.encode()
            if not data:
                self._work.clear()
                await self._work.wait()
                continue
            async with asyncio.timeout(_WRITE_TIMEOUT_S):
                await self._tls.write(bytes(data))

    def _next_frame(self) -> Frame | None:
        if self._control:
            return self._control.popleft()
        # Streams take turns, so that a busy one cannot starve the others.
        while self._ready:
            ready, _ = self._ready.popitem(last=False)
            stream = self._streams.get(ready)
            if stream is None or not stream.outgoing or ready not in self._opened:
                continue
            message = stream.outgoing.pop(0)
            if stream.outgoing:
                self._ready[ready] = None
            return Frame(FrameType.DATA, ready, message)
        return None

    def _limit_of(self, stream: bytes) -> int | None:
        known = self._streams.get(stream)
        if known is None:
            self._counters["data_of_unknown_stream"] += 1
            return None
        return known.limits.message_length
