"""
Prometheus remote write, version 1: a protobuf message, compressed with snappy's block format.

A series that a page had and has no longer gets a last sample that says so, so that it is gone at once and not five
minutes later. Source: the Prometheus project's remote-write specification 1.0.
"""

import struct
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from feedmesh.metrics.v1 import remote_write_pb2 as pb
from meshkit.push.exposition import Labels, Series

HEADERS: Final = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}
MOST_SERIES: Final = 5_000
"""How many series one request has at most."""
# The one NaN that Prometheus takes for the end of a series; a NaN that was measured is another.
STALE: Final = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]


NOTHING: Final = b"\0"
"""The body of a request without series: in snappy's format the length of what is compressed, and no more."""


def bodies(series: Iterable[Series], gone: Iterable[Labels], time_ms: int) -> Iterator[bytes]:
    """Yield the bodies of the requests that write these series, at their own time or this one, and end those gone."""
    rows = _rows(series, gone, time_ms)
    while chunk := list(islice(rows, MOST_SERIES)):
        yield _compressed(pb.WriteRequest(timeseries=chunk).SerializeToString())


def _compressed(message: bytes) -> bytes:
    # All processes could push, and few do; it takes 2 MB.
    from cramjam import snappy

    return bytes(snappy.compress_raw(message))


def _rows(series: Iterable[Series], gone: Iterable[Labels], time_ms: int) -> Iterator[pb.TimeSeries]:
    for each in series:
        yield _row(each.labels, each.value, time_ms if each.time_ms is None else each.time_ms)
    for labels in gone:
        yield _row(labels, STALE, time_ms)


def _row(labels: Labels, value: float, time_ms: int) -> pb.TimeSeries:
    return pb.TimeSeries(
        labels=[pb.Label(name=name, value=text) for name, text in labels],
        samples=[pb.Sample(value=value, timestamp=time_ms)],
    )
