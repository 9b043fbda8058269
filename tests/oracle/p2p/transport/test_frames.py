"""Frames, however the bytes are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.oracle.p2p.errors import FrameRefused
from services.oracle.p2p.transport.frames import Frame, FrameParser, FrameType

KNOWN, UNKNOWN = b"\1" * 32, b"\2" * 32
LIMIT = 100
frames = st.one_of(
    st.builds(Frame, st.just(FrameType.OPEN), st.sampled_from([KNOWN, UNKNOWN]), st.binary(min_size=1, max_size=256)),
    st.builds(Frame, st.just(FrameType.CLOSE), st.sampled_from([KNOWN, UNKNOWN])),
    st.builds(Frame, st.just(FrameType.DATA), st.just(KNOWN), st.binary(max_size=LIMIT)),
    st.builds(Frame, st.just(FrameType.DATA), st.just(UNKNOWN), st.binary(max_size=3 * LIMIT)),
)


def parser() -> FrameParser:
    """Return a parser that knows one stream."""
    return FrameParser(lambda stream: LIMIT if stream == KNOWN else None)


@given(st.lists(frames, max_size=8), st.integers(1, 200))
def test_any_cut(sent: list[Frame], step: int) -> None:
    """Frames come out as they went in, whatever pieces the bytes come in; data of unknown streams does not."""
    raw = b"".join(frame.encode() for frame in sent)
    taken = parser()
    got = [frame for i in range(0, len(raw), step) for frame in taken.feed(raw[i : i + step])]

    assert [f for f in sent if f.type is not FrameType.DATA or f.stream_id == KNOWN] == got


def test_known_bytes() -> None:
    """A frame is type, stream id, length and payload."""
    assert b"\3" + KNOWN + b"\0\0\0\2hi" == Frame(FrameType.DATA, KNOWN, b"hi").encode()


@pytest.mark.parametrize(
    "raw",
    [
        b"\0" + KNOWN + bytes(4),
        b"\4" + KNOWN + bytes(4),
        b"\1" + KNOWN + bytes(4),
        b"\1" + KNOWN + (257).to_bytes(4, "big"),
        b"\2" + KNOWN + (1).to_bytes(4, "big"),
        b"\3" + KNOWN + (LIMIT + 1).to_bytes(4, "big"),
        b"\3" + UNKNOWN + ((1 << 30) + 1).to_bytes(4, "big"),
    ],
)
def test_refused_headers(raw: bytes) -> None:
    """What breaks the rules is refused by its header, before its payload is there."""
    with pytest.raises(FrameRefused):
        list(parser().feed(raw))


def test_skipped_data_is_not_kept() -> None:
    """A huge message on an unknown stream costs no memory, and what follows it is read."""
    taken = parser()
    header = b"\3" + UNKNOWN + (10_000_000).to_bytes(4, "big")
    assert [] == list(taken.feed(header))
    for _ in range(100):
        assert [] == list(taken.feed(bytes(100_000)))
        assert not taken._buffer
    after = Frame(FrameType.DATA, KNOWN, b"after")

    assert [after] == list(taken.feed(after.encode()))
