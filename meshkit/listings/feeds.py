"""The feeds of a mesh as people read them, in `feedmesh feeds` and on the page."""

from typing import Final

from feedmesh.operator.v1 import operator_service_pb2 as pb
from meshkit.listings.durations import duration

COLUMNS: Final = ("feed", "phase", "answer", "round", "age", "contract")


def phase_name(phase: "pb.FeedPhase.ValueType") -> str:
    """Return a phase as people read it, for example `running`."""
    return pb.FeedPhase.Name(phase).removeprefix("FEED_PHASE_").lower()


def row(feed: pb.Feed, now_s: float) -> tuple[str, ...]:
    """Return a text for each column; `now_s` is Unix time, for the age of the answer."""
    answered = feed.HasField("update_time")
    age = duration(now_s - feed.update_time.ToMilliseconds() / 1000) if answered else ""
    return (feed.name, phase_name(feed.phase), feed.answer, str(feed.round_id or ""), age, feed.address)
