"""A Prometheus that evaluates the delivered rules on what a mesh pushes, with their minutes made shorter if wanted."""

import contextlib
import json
import re
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from scripts.monitoring import alert_files
from tests.mesh.running import wait_until
from tests.monitoring_programs import Server, prometheus

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+)([smh])")
_RANGE = re.compile(r"\[(\d+)([smh])\]")


def hastened(times: float) -> str:
    """Return the rule file with all of its waiting times and ranges so many times shorter; thresholds stay."""
    document = alert_files.rules()

    def shorter(found: re.Match[str]) -> str:
        return f"{max(1, round(1000 * int(found[1]) * _SECONDS[found[2]] / times))}ms"

    for group in document["groups"]:
        group["interval"] = "1s"
        for rule in group["rules"]:
            rule["for"] = "0s" if rule["for"] == "0m" else shorter(_whole(rule["for"]))
            rule["expr"] = _RANGE.sub(lambda found: f"[{shorter(found)}]", rule["expr"])
    return yaml.safe_dump(document, sort_keys=False)


def _whole(text: str) -> re.Match[str]:
    found = _DURATION.fullmatch(text)
    assert found is not None, text
    return found


class Alerting:
    """Hold the server, and wait for what it says."""

    def __init__(self, server: Server) -> None:
        self._server = server

    @property
    def remote_write(self) -> str:
        """Return where the mesh is to write to."""
        return f"{self._server.url}/api/v1/write"

    def firing(self) -> list[dict[str, str]]:
        """Return the labels of all alerts that fire now, their names among them."""
        found = self._ask("/api/v1/alerts")["alerts"]
        return [alert["labels"] for alert in found if alert["state"] == "firing"]

    def fires(self, name: str, **labels: str) -> bool:
        """Tell whether an alert with these labels fires now."""
        wanted = {"alertname": name, **labels}.items()
        return any(wanted <= alert.items() for alert in self.firing())

    def wait(self, name: str, *, fires: bool, within_s: float = 240, **labels: str) -> None:
        """Wait until an alert fires, or until it does no more; fail with all that do then."""
        try:
            wait_until(name, lambda: fires == self.fires(name, **labels), within_s)
        except AssertionError:
            verb = "begin" if fires else "end"
            raise AssertionError(f"{name} {labels} did not {verb} in {within_s} s; firing: {self.firing()}") from None

    def ever_fired(self) -> list[dict[str, str]]:
        """Return the labels of all alerts that ever fired."""
        query = (
            'count by (alertname, instance, job, feed, source, mesh_service, job_name) (ALERTS{alertstate="firing"})'
        )
        found = self._ask("/api/v1/query", query=f"last_over_time(({query})[1d:5s])")["result"]
        return [row["metric"] for row in found]

    def value(self, query: str) -> list[tuple[dict[str, str], float]]:
        """Return the rows of a query."""
        return [(row["metric"], float(row["value"][1])) for row in self._ask("/api/v1/query", query=query)["result"]]

    def _ask(self, path: str, **query: str) -> Any:
        with urllib.request.urlopen(f"{self._server.url}{path}?{urllib.parse.urlencode(query)}", timeout=30) as answer:
            return json.load(answer)["data"]


@contextlib.contextmanager
def alerting(directory: Path, rules: str, scrape: Mapping[str, Any] | None = None) -> Iterator[Alerting]:
    """Give a Prometheus with a rule file, that scrapes one thing if told."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "rules.yml").write_text(rules)
    configuration = {
        "global": {"evaluation_interval": "1s"},
        "rule_files": ["rules.yml"],
        "scrape_configs": [] if scrape is None else [dict(scrape)],
    }
    server = prometheus(directory, configuration=yaml.safe_dump(configuration))
    server.start()
    try:
        yield Alerting(server)
    finally:
        server.stop()
