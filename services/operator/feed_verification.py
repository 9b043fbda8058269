"""Which feed a node's difference is of: values in, values out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.operator.nodes.job_and_bridge_changes import CreateJob, DeleteJob, NodeChange

_BOOTSTRAP = "bootstrap "


@dataclass(frozen=True, slots=True)
class Verification:
    """
    Hold what was found to be otherwise than configured, in words.

    Attributes:
        differences: By feed, in the order in which they were looked for; a feed that is as configured has none.
        problems: What is of no single feed.
    """

    differences: Mapping[str, tuple[str, ...]]
    problems: tuple[str, ...]


def of_node(
    node: str, changes: Sequence[NodeChange], feeds: Sequence[str]
) -> tuple[dict[str, list[str]], tuple[str, ...]]:
    """Return in words what a node is not as wanted: by feed, and what is of none."""
    by_feed: dict[str, list[str]] = {}
    others: list[str] = []
    replaced = {change.name for change in changes if isinstance(change, DeleteJob)}
    for change in changes:
        match change:
            case DeleteJob(name=name, reason=reason):
                text, feed = f"{node}: job {name!r}: {reason}", name.removeprefix(_BOOTSTRAP)
            case CreateJob(spec=spec):
                feed = str(spec.name).removeprefix(_BOOTSTRAP)
                if spec.name in replaced:
                    # Said already, with what differs.
                    continue
                text = f"{node}: no job {spec.name!r}"
            case _:
                text, feed = f"{node}: otherwise than wanted: {change}", ""
        if feed in feeds:
            by_feed.setdefault(feed, []).append(text)
        else:
            others.append(text)
    return by_feed, tuple(others)
