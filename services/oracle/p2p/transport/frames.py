"""The frames inside a connection: a 37-byte header (type, stream id, length) and a payload."""

import enum
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256

from services.oracle.p2p.errors import FrameRefused

HEADER_LENGTH = 37
MAX_NAME_LENGTH = 256
MAX_PAYLOAD_LENGTH = 1 << 30
_HEADER = struct.Struct(">B32sI")


class FrameType(enum.IntEnum):
    """Name the frames, by their number on the wire."""

    OPEN = 1
    CLOSE = 2
    DATA = 3


@dataclass(frozen=True, slots=True)
class Frame:
    """Hold one frame; the payload is the stream's name (OPEN), empty (CLOSE) or one message (DATA)."""

    type: FrameType
    stream_id: bytes
    payload: bytes = b""

    def encode(self) -> bytes:
        """Return the bytes of the frame."""
        return _HEADER.pack(self.type, self.stream_id, len(self.payload)) + self.payload


def stream_id(one: bytes, other: bytes, name: str) -> bytes:
    """Return the 32-byte id of the stream of that name between two public keys; both ends compute the same."""
    return sha256(max(one, other) + min(one, other) + name.encode()).digest()


class FrameParser:
    """
    Cut a connection's bytes into frames.

    `limit_of` returns the longest message a stream takes, None for a stream nobody has here: its data is skipped
    without being kept.
    """

    def __init__(self, limit_of: Callable[[bytes], int | None]) -> None:
        self._limit_of = limit_of
        self._buffer = bytearray()
        self._skip = 0
        self.skipped = 0

    def feed(self, data: bytes) -> Iterator[Frame]:
        """
        Take bytes as they come; yield the frames they complete.

        Raises:
            FrameRefused: on a frame after which nothing of the connection can be trusted.
        """
        self._buffer += data
        while True:
            if self._skip:
                gone = min(self._skip, len(self._buffer))
                del self._buffer[:gone]
                self._skip -= gone
            if self._skip or len(self._buffer) < HEADER_LENGTH:
                return
            kind, stream, length = _HEADER.unpack_from(self._buffer)
            frame_type = _check_header(kind, length)
            if frame_type is FrameType.DATA:
                limit = self._limit_of(stream)
                if limit is None:
                    del self._buffer[:HEADER_LENGTH]
                    self._skip = length
                    self.skipped += 1
                    continue
                if length > limit:
                    raise FrameRefused(f"a message of {length} bytes on a stream that takes {limit}")
            end = HEADER_LENGTH + length
            if len(self._buffer) < end:
                return
            payload = bytes(self._buffer[HEADER_LENGTH:end])
            del self._buffer[:end]
            yield Frame(frame_type, stream, payload)


def _check_header(kind: int, length: int) -> FrameType:
    try:
        frame_type = FrameType(kind)
    except ValueError as error:
        raise FrameRefused(f"a frame of unknown type {kind}") from error
    if frame_type is FrameType.OPEN and not 1 <= length <= MAX_NAME_LENGTH:
        raise FrameRefused(f"a stream name of {length} bytes")
    if frame_type is FrameType.CLOSE and length:
        raise FrameRefused(f"a close frame with {length} bytes")
    if length > MAX_PAYLOAD_LENGTH:
        raise FrameRefused(f"a message of {length} bytes")
    return frame_type
