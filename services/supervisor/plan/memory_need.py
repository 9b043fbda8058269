"""What the mesh needs of memory, and how what there is is shared among nodes that can be told."""

from typing import Final

from services.supervisor.plan.plan_input import NodeRuntime

_MB: Final = 1024 * 1024
# Seen with three feeds: supervisor, four services of ours and PostgreSQL; a node of each runtime.
_SERVICES_MB: Final = 500
_NODE_MB: Final[dict[NodeRuntime, int]] = {"embedded": 110, "chainlink": 520}
# Below it a node's collector would work without end; what is above it goes to other things than its heap.
_LEAST_HEAP_MB: Final = 300
_HEAP_PERCENT: Final = 85


def shortage(available_bytes: int, nodes: int, runtime: NodeRuntime) -> str:
    """Say that there is less memory than the mesh needs with a few feeds; nothing if there is enough."""
    needed_mb, available_mb = _SERVICES_MB + nodes * _NODE_MB[runtime], available_bytes // _MB
    if available_mb >= needed_mb:
        return ""
    each = f"{nodes} nodes of {_NODE_MB[runtime]} MB and {_SERVICES_MB} MB for the rest"
    return f"{available_mb} MB of memory for a mesh that needs about {needed_mb} MB: {each}"


def heap_limit_mb(available_bytes: int, nodes: int) -> int:
    """Return the soft limit of a Chainlink node's heap (GOMEMLIMIT): an equal share of what services of ours leave."""
    share_mb = (available_bytes // _MB - _SERVICES_MB) // nodes
    return max(_LEAST_HEAP_MB, share_mb * _HEAP_PERCENT // 100)
