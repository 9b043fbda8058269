"""
A calm mesh of 40 feeds for ten minutes: every panel of every dashboard has data, no alert fires.

It pushes to a VictoriaMetrics; a Prometheus reads from that what it has, and evaluates the rules as they are delivered.
FEEDMESH_CAMPAIGN_MINUTES makes it shorter, for trying it out.
"""

import json
import os
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from cli.embedded import feeds
from scripts.monitoring import alert_files
from scripts.monitoring.alerts import ALERTS
from scripts.monitoring.panels import BOARDS
from tests.mesh.monitoring.alerting import Alerting, alerting
from tests.mesh.monitoring.panels_filled import empty_panels, rows
from tests.mesh.monitoring.pushing_mesh import pushing_mesh
from tests.mesh.running import Mesh
from tests.monitoring_programs import Server, victoria_metrics

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(3000)]

NODES, FEEDS = 5, feeds.parse(feeds.ALL)[:40]
_MINUTES = float(os.environ.get("FEEDMESH_CAMPAIGN_MINUTES", "10"))
_WAY = 'histogram_quantile({}, sum by (le) (feedmesh_round_hop_seconds_bucket{{hop="total"}}))'
_GAP = "histogram_quantile(0.95, sum by (le) (feedmesh_feed_gap_distribution_bps_bucket))"
_PROCESSOR = "sum(rate(chainlink_process_cpu_seconds_total{}[5m])) * 100"
_FEWEST = "min(changes(feedmesh_feed_round[5m]))"
_FIGURES = (
    ("rounds on chain", "sum(feedmesh_feed_round)", ""),
    ("fewest rounds of a feed in five minutes", _FEWEST, ""),
    ("median way from the exchange into a block", _WAY.format(0.5), "s"),
    ("95 % of them", _WAY.format(0.95), "s"),
    ("95 % of the gaps between market and chain", _GAP, "bps"),
    ("lowest score of a source", "min(source_score)", ""),
    ("processes whose metrics are read", "sum(feedmesh_target_up)", ""),
    ("samples of a push", "max(feedmesh_metrics_push_samples)", ""),
    ("samples that were lost", "max(feedmesh_metrics_push_lost_samples)", ""),
    ("pushes that were taken", "max(feedmesh_metrics_push_successes_total)", ""),
    ("pushes that failed", "max(feedmesh_metrics_push_failures_total)", ""),
    ("processor time of the metrics service", _PROCESSOR.format('{service="process-metrics"}'), "% of a core"),
    ("processor time of all", _PROCESSOR.format(""), "% of a core"),
)


@pytest.fixture(name="store", scope="module")
def _store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = victoria_metrics(tmp_path_factory.mktemp("victoria"), "-search.maxQueueDuration=60s", memory="512MB")
    server.start()
    yield server
    server.stop()


@pytest.fixture(name="alerts", scope="module")
def _alerts(store: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alerting]:
    federated = {
        "job_name": "federate",
        "scrape_interval": "15s",
        "scrape_timeout": "15s",
        "metrics_path": "/federate",
        "params": {"match[]": ['{__name__=~".+"}'], "max_lookback": ["60s"]},
        "honor_labels": True,
        "static_configs": [{"targets": [store.url.removeprefix("http://")]}],
    }
    with alerting(tmp_path_factory.mktemp("prometheus"), alert_files.rule_file(), federated) as found:
        yield found


@pytest.fixture(name="mesh", scope="module")
def _mesh(store: Server) -> Iterator[Mesh]:
    with pushing_mesh(FEEDS, {"url": f"{store.url}/api/v1/import/prometheus"}, NODES) as mesh:
        mesh.first_rounds(FEEDS, 400)
        yield mesh


def test_a_calm_run(mesh: Mesh, store: Server, alerts: Alerting, capsys: pytest.CaptureFixture[str]) -> None:
    """The mesh lasts, each feed has rounds, no query of a panel is without data, and no alert ever fired."""
    begun_s = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired):
        mesh.process.wait(_MINUTES * 60)
    empty, fired = empty_panels(store.url), alerts.ever_fired()
    with capsys.disabled():
        _report(store, fired, time.monotonic() - begun_s)

    assert [] == empty
    assert [] == fired
    assert 0 < float(_figure(store, _FEWEST))


def _report(store: Server, fired: list[dict[str, str]], seconds: float) -> None:
    console = Console(width=120)
    shown = Table("dashboard", "panels", "queries", "with data", "series", box=None, pad_edge=False)
    for board in BOARDS:
        found = [len(rows(store.url, query)) for panel in board.panels for query, _ in panel.queries]
        with_data = sum(map(bool, found))
        shown.add_row(board.name, *map(str, (len(board.panels), len(found), with_data, sum(found))))
    console.print(f"\n{NODES} nodes, {len(FEEDS)} feeds, {seconds / 60:.1f} minutes")
    console.print(shown)
    for words, query, unit in _FIGURES:
        console.print(f"{words}: {_figure(store, query)} {unit}".rstrip())
    console.print(f"series in the store: {_series(store)}")
    console.print(f"alerts: {len(ALERTS)} rules, fired: {fired or 'none'}")


def _figure(store: Server, query: str) -> str:
    found: list[Any] = rows(store.url, query)
    return f"{float(found[0]['value'][1]):.4g}" if found else "none"


def _series(store: Server) -> int:
    query = urllib.parse.urlencode({"query": 'count({__name__=~".+"})'})
    with urllib.request.urlopen(f"{store.url}/api/v1/query?{query}", timeout=30) as answer:
        return int(json.load(answer)["data"]["result"][0]["value"][1])
