"""The databases in numbers."""

from dataclasses import replace

import pytest

from meshkit.clock import SystemClock
from meshkit.metrics import Registry
from services.dbinit.database_metrics import METRICS, DatabaseMetrics
from tests.dbinit.server import Server
from tests.ports import free_port


async def test_each_database_has_its_size(server: Server) -> None:
    """A look brings up, size, connections and damaged pages of every node's database; before one there is none."""
    registry = Registry(METRICS)
    metrics = DatabaseMetrics(server.settings, SystemClock(), registry)
    assert b"feedmesh_database_up 0.0\n" in registry.render()
    assert b"feedmesh_database_bytes{" not in registry.render()

    await metrics.look()

    page = registry.render().decode()
    assert "feedmesh_database_up 1.0\n" in page
    names = [f"chainlink_node_{node}" for node in range(1, server.settings.total_nodes + 1)]
    for name in names:
        assert f'feedmesh_database_checksum_failures_total{{database="{name}"}} 0.0\n' in page
        assert f'feedmesh_database_connections{{database="{name}"}}' in page
    sizes = [float(line.split()[1]) for line in page.splitlines() if line.startswith("feedmesh_database_bytes{")]
    assert len(names) == len(sizes)
    assert all(size > 1_000_000 for size in sizes)


async def test_what_was_seen_stays_while_the_server_is_away(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Up is 0, and a counter that vanished would look like one that began anew."""
    registry = Registry(METRICS)
    metrics = DatabaseMetrics(server.settings, SystemClock(), registry)
    await metrics.look()
    monkeypatch.setattr(metrics, "_settings", replace(server.settings, port=free_port()))
    await metrics.look()

    page = registry.render()
    assert b"feedmesh_database_up 0.0\n" in page
    assert b'feedmesh_database_checksum_failures_total{database="chainlink_node_1"} 0.0\n' in page
