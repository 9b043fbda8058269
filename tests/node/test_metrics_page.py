"""A node's page of metrics as it is gathered: under the node's name, and of Chainlink's what is chosen."""

import re
from collections import Counter

import aiohttp

from meshkit.clock import SystemClock
from meshkit.configuration.aggregator import NODE_METRICS
from meshkit.metrics import RPC_METRICS, Registry
from meshkit.push import exposition
from services.metrics.gathering.gatherer import GATHERING_METRICS, Gatherer
from services.metrics.gathering.target import HttpTarget, Wanted
from tests.node.node import NodeUnderTest
from tests.waiting import until

# What both programs tell, with what operators know by these names.
_OF_BOTH = {"health", "head_tracker_current_head", "process_cpu_seconds_total", "process_resident_memory_bytes"}
_OF_CHAINLINK = {"uptime_seconds", "eth_balance", "unconfirmed_transactions", "multi_node_states", "db_conns_used"}
_MOST = 2_000


async def test_a_nodes_page_is_gathered_within_bounds(node: NodeUnderTest) -> None:
    """What operators need is there with the node's name and no more than may be; the rest is counted."""
    registry = Registry((*RPC_METRICS, *GATHERING_METRICS))
    wanted = Wanted(exposition.allowed(NODE_METRICS), _MOST)
    names = _OF_BOTH | (_OF_CHAINLINK if node.runtime == "chainlink" else set())
    pushed: Counter[str] = Counter()
    of_services: set[str] = set()
    async with aiohttp.ClientSession() as session:
        target = HttpTarget(node.served.name, f"{node.url}/metrics", session, wanted)
        gatherer = Gatherer([target], 15, SystemClock(), registry)

        async def has_all() -> bool:
            await gatherer.gather()
            (page,) = gatherer.offer()
            series = [dict(each.labels) for each in exposition.series(page.text or b"", page.labels)]
            pushed.clear()
            pushed.update(each["__name__"] for each in series)
            of_services.update(each["mesh_service"] for each in series)
            # A node counts some things only from its first block on.
            return names <= pushed.keys()

        await until(has_all, f"{sorted(names)} on the page", 60)
        async with session.get(f"{node.url}/metrics") as response:
            whole = await response.read()

    assert {node.served.name} == of_services
    assert 0 < pushed.total() <= _MOST
    if node.runtime == "chainlink":
        assert pushed.total() < exposition.count(whole) / 2
        assert not [name for name in pushed if re.match("service_gonic|log_poller|go_gc", name)]
    shown = registry.render().decode()
    assert f'feedmesh_target_up{{mesh_service="{node.served.name}"}} 1.0' in shown
    assert f'feedmesh_target_odd_lines{{mesh_service="{node.served.name}"}} 0.0' in shown
