"""The control file, read without the server."""

import struct

import pytest

from services.dbinit.cluster.control_file import Control, Damaged, check_segment, crc32c, parse

SEGMENT = 4 * 2**20
OURS = Control(system_identifier=7, timeline=1, checkpoint=0x1_0040_0028, redo=0x1_003F_FF00, segment_bytes=SEGMENT)


def content(version: int = 1700) -> bytes:
    """Return a control file of OURS."""
    start = struct.pack("=QIIiIqQQI", 7, version, 202406281, 1, 0, 0, OURS.checkpoint, OURS.redo, OURS.timeline)
    start = start.ljust(228, b"\0") + struct.pack("=I", SEGMENT)
    start = start.ljust(288, b"\1")
    return (start + struct.pack("=I", crc32c(start))).ljust(8192, b"\0")


def header(system_identifier: int = 7, segment_bytes: int = SEGMENT) -> bytes:
    """Return the first bytes of a WAL file."""
    return bytes(24) + struct.pack("=QI", system_identifier, segment_bytes)


def test_crc_is_castagnolis() -> None:
    """The check value of CRC-32C, as RFC 3720 and the catalogues of CRCs give it."""
    assert 0xE3069283 == crc32c(b"123456789")


def test_round_trip() -> None:
    """Position, timeline and size are found where PostgreSQL writes them."""
    assert OURS == parse(content())


def test_needed_segments() -> None:
    """The WAL files of the checkpoint and of its redo position are named as PostgreSQL names them."""
    assert ("000000010000000100000000", "000000010000000100000001") == OURS.needed_segments


@pytest.mark.parametrize("position", [0, 16, 33, 228, 287, 288, 291])
def test_any_changed_byte_is_noticed(position: int) -> None:
    """A flipped bit anywhere in the file's content, its checksum included, is damage."""
    damaged = bytearray(content())
    damaged[position] ^= 0x10

    with pytest.raises(Damaged, match="checksum does not match"):
        parse(bytes(damaged))


def test_a_cut_file_is_noticed() -> None:
    """A file that is too short is damage."""
    with pytest.raises(Damaged, match="only 100 bytes"):
        parse(content()[:100])


def test_another_layout_is_refused() -> None:
    """A sound file of another version is not read as if it were ours."""
    with pytest.raises(Damaged, match="has version 1300, not 1700"):
        parse(content(1300))


@pytest.mark.parametrize(
    ("first_bytes", "size_bytes", "complaint"),
    [
        (header(), 100, "has 100 bytes"),
        (header(system_identifier=8), SEGMENT, "belongs to another cluster"),
        (bytes(36), SEGMENT, "is damaged"),
    ],
)
def test_foreign_wal_is_refused(first_bytes: bytes, size_bytes: int, complaint: str) -> None:
    """A WAL file that is cut, empty or another cluster's is damage; ours is none."""
    check_segment(OURS, header(), SEGMENT)

    with pytest.raises(Damaged, match=complaint):
        check_segment(OURS, first_bytes, size_bytes)
