"""The price sources as people read them, in `feedmesh sources` and on the page."""

from typing import Final

from feedmesh.aggregator.v1 import quote_service_pb2 as pb
from meshkit.listings.durations import duration

COLUMNS: Final = ("source", "state", "stream", "pairs", "fresh", "score", "last price", "")


def state(source: pb.SourceState) -> str:
    """Return in a word or two how a source is."""
    if not source.enabled:
        return "off"
    if source.circuit == pb.CIRCUIT_STATE_OPEN:
        return "left alone"
    return "up" if source.available else "no answer yet" if not source.last_error else "fails"


def row(source: pb.SourceState, now_s: float) -> tuple[str, ...]:
    """Return a text for each column; `now_s` is Unix time, for the age of the last price."""
    stream = ("up" if source.stream_connected else "down") if source.HasField("stream_connected") else ""
    succeeded = source.HasField("last_success_time")
    age = duration(now_s - source.last_success_time.ToMilliseconds() / 1000) if succeeded else ""
    pairs, fresh = str(source.registered_pairs), str(source.fresh_pairs)
    score = f"{source.score * 100:.0f} %" if source.HasField("score") else ""
    return (source.name, state(source), stream, pairs, fresh, score, age, source.last_error)


def clock_words(clock: pb.OwnClock) -> str:
    """Return what is wrong with our own clock by what the sources say; empty if nothing is."""
    return f"our own clock is {clock.ahead_ms} ms ahead of the sources': there are no prices" if clock.off else ""
