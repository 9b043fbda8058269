"""
What a cluster says about itself in `global/pg_control`, read without the server.

The file is PostgreSQL's ControlFileData, in the machine's byte order, with a CRC-32C over all before it. Offsets are
those of control version 1700, which every PostgreSQL 17 has.
"""

import struct
from dataclasses import dataclass

_CONTROL_VERSION = 1700
_CRC_OFFSET = 288
_SEGMENT_SIZE_OFFSET = 228
_CRC32C_POLYNOMIAL = 0x82F63B78


class Damaged(Exception):
    """The bytes are not what PostgreSQL 17 has written; the text is a phrase that says why."""


@dataclass(frozen=True, slots=True)
class Control:
    """
    The cluster's number, and where its recovery begins.

    Attributes:
        system_identifier: The number that also stands in each of its WAL files.
        timeline: The history that the last checkpoint belongs to.
        checkpoint: The WAL position of the last checkpoint's record, in bytes.
        redo: The WAL position from which that checkpoint wants the WAL to be applied.
        segment_bytes: The size of a WAL file.
    """

    system_identifier: int
    timeline: int
    checkpoint: int
    redo: int
    segment_bytes: int

    @property
    def needed_segments(self) -> tuple[str, ...]:
        """Return the names of the WAL files without which no start is possible."""
        numbers = sorted({self.redo // self.segment_bytes, self.checkpoint // self.segment_bytes})
        per_log = 2**32 // self.segment_bytes
        return tuple(f"{self.timeline:08X}{number // per_log:08X}{number % per_log:08X}" for number in numbers)


def parse(content: bytes) -> Control:
    """Return what the control file says. Raises Damaged."""
    if len(content) < _CRC_OFFSET + 4:
        raise Damaged(f"has only {len(content)} bytes")
    if crc32c(content[:_CRC_OFFSET]) != struct.unpack_from("=I", content, _CRC_OFFSET)[0]:
        raise Damaged("is damaged: its checksum does not match its content")
    system_identifier, version = struct.unpack_from("=QI", content)
    if version != _CONTROL_VERSION:
        raise Damaged(f"has version {version}, not {_CONTROL_VERSION} as PostgreSQL 17 writes it")
    checkpoint, redo, timeline = struct.unpack_from("=QQI", content, 32)
    (segment_bytes,) = struct.unpack_from("=I", content, _SEGMENT_SIZE_OFFSET)
    return Control(system_identifier, timeline, checkpoint, redo, segment_bytes)


def check_segment(control: Control, header: bytes, size_bytes: int) -> None:
    """Raise Damaged if a WAL file of this size, beginning with this header of 36 bytes, is not one of the cluster's."""
    if size_bytes != control.segment_bytes:
        raise Damaged(f"has {size_bytes} bytes, not {control.segment_bytes}")
    # XLogLongPageHeaderData: the short header of 24 bytes, then the cluster's number and the size of a segment.
    if struct.unpack_from("=QI", header, 24) != (control.system_identifier, control.segment_bytes):
        raise Damaged("is damaged, or belongs to another cluster")


def crc32c(data: bytes) -> int:
    """Return the CRC-32C (Castagnoli) of the data; bit by bit, which is fast enough for some hundred bytes."""
    value = 0xFFFF_FFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (_CRC32C_POLYNOMIAL if value & 1 else 0)
    return value ^ 0xFFFF_FFFF
