"""The dashboards that are delivered: made of the tables, of metrics and labels that there are."""

import json
import re
from pathlib import Path

from scripts.metrics_page import all_metrics
from scripts.monitoring.dashboards import files
from scripts.monitoring.panels import BOARDS

PLACE = Path("deploy/grafana/dashboards")
_SUFFIX = re.compile("_(bucket|sum|count)$")
_OF_PROMETHEUS = frozenset({"process_resident_memory_bytes", "process_cpu_seconds_total"})


def test_the_delivered_files_are_those_of_the_tables() -> None:
    """Each is what the tables make, and there is none besides."""
    assert files() == {path.name: path.read_text() for path in PLACE.glob("*.json")}


def test_panels_ask_for_metrics_that_there_are() -> None:
    """Every metric of a query is in the tables of the processes, or one that every process has."""
    known = all_metrics() | _OF_PROMETHEUS
    for board in BOARDS:
        for panel in board.panels:
            for query, _ in panel.queries:
                metrics = {_SUFFIX.sub("", name) for name in re.findall(r"([a-z][a-z0-9_]+)\{", query)}
                assert metrics, panel.title
                assert set() == metrics - known, panel.title


def test_a_dashboard_is_one_that_grafana_reads() -> None:
    """Panels lie side by side in a grid without holes, and ask the provisioned source."""
    for text in files().values():
        board = json.loads(text)
        places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]]
        assert [(index % 2 * 12, index // 2 * 8) for index in range(len(places))] == places
        assert {"feedmesh"} == {panel["datasource"]["uid"] for panel in board["panels"]}
        assert len(board["panels"]) == len({panel["title"] for panel in board["panels"]})
