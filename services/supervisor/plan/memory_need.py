"""What the mesh needs of memory, and how what there is is shared among nodes that can be told."""

from collections.abc import Sequence
from typing import Final

from meshkit.configuration.node_program import NodeRuntime

_MB: Final = 1024 * 1024
# Seen with three feeds: supervisor, four services of ours and PostgreSQL; a node of each runtime.
_SERVICES_MB: Final = 500
_NODE_MB: Final[dict[NodeRuntime, int]] = {"embedded": 110, "chainlink": 520}
# Below it a node's collector would work without end; what is above it goes to other things than its heap.
_LEAST_HEAP_MB: Final = 300
_HEAP_PERCENT: Final = 85


def shortage(available_bytes: int, runtimes: Sequence[NodeRuntime]) -> str:
    """Say that there is less memory than nodes of these programs need with a few feeds; nothing if there is enough."""
    nodes = {runtime: runtimes.count(runtime) for runtime in _NODE_MB if runtime in runtimes}
    needed_mb = _SERVICES_MB + sum(_NODE_MB[runtime] * count for runtime, count in nodes.items())
    available_mb = available_bytes // _MB
    if available_mb >= needed_mb:
        return ""
    each = ", ".join(f"{count} nodes of {_NODE_MB[runtime]} MB" for runtime, count in nodes.items())
    needed = f"{available_mb} MB of memory for a mesh that needs about {needed_mb} MB"
    return f"{needed}: {each} and {_SERVICES_MB} MB for the rest"


def heap_limit_mb(available_bytes: int, runtimes: Sequence[NodeRuntime]) -> int:
    """
    Return the soft limit of a Chainlink node's heap (GOMEMLIMIT): an equal share of what all others leave.

    The others are services of ours and nodes of the embedded program; one node at least is Chainlink's.
    """
    embedded = runtimes.count("embedded")
    left_mb = available_bytes // _MB - _SERVICES_MB - embedded * _NODE_MB["embedded"]
    return max(_LEAST_HEAP_MB, left_mb // (len(runtimes) - embedded) * _HEAP_PERCENT // 100)
