"""docs/metrics.md: every metric of every process, from the tables that declare them."""

from collections.abc import Iterable
from typing import Protocol

from meshkit.metrics import RPC_METRICS
from meshkit.process.background_tasks import TASK_METRICS
from meshkit.push.metrics import PUSH_METRICS
from services.aggregator.metrics import METRICS as AGGREGATOR
from services.dbinit.database_metrics import METRICS as DATABASES
from services.metrics.gathering.gatherer import GATHERING_METRICS
from services.metrics.host.disk_metrics import DISK_METRICS
from services.metrics.names import TABLE as PROCESSES
from services.metrics.verdict.feed_metrics import FEED_METRICS
from services.operator.metrics import METRICS as OPERATOR
from services.oracle.metrics import METRICS as ORACLE


class Row(Protocol):
    """One metric of a table."""

    @property
    def name(self) -> str:
        """Return its name in the text format."""
        ...

    @property
    def kind(self) -> str:
        """Return its Prometheus type."""
        ...

    @property
    def help(self) -> str:
        """Return what it measures."""
        ...

    @property
    def labels(self) -> tuple[str, ...]:
        """Return its labels."""
        ...


_SHARED = (*RPC_METRICS, *TASK_METRICS)
SECTIONS: tuple[tuple[str, str, Iterable[Row]], ...] = (
    (
        "Every service with a gRPC server",
        "`feedmesh.metrics.v1.MetricsPageService/GetMetricsPage` on each socket. Also the usual `process_*` "
        "metrics of Prometheus clients.",
        _SHARED,
    ),
    ("Price aggregator", "`GET /metrics` on `priceAggregatorConfig.port`.", AGGREGATOR),
    (
        "Process metrics",
        "`GET /metrics` on `mesh.ports.metrics`; also pushed.",
        (*PROCESSES, *FEED_METRICS, *DISK_METRICS, *PUSH_METRICS, *GATHERING_METRICS),
    ),
    ("Databases", "`GetMetricsPage` on `dbinit.sock`.", DATABASES),
    ("Operator", "`GetMetricsPage` on `operator.sock`.", OPERATOR),
    ("Nodes of the embedded runtime", "`GET /metrics` on each node's API port.", ORACLE),
)


def all_metrics() -> frozenset[str]:
    """Return the names of all metrics."""
    return frozenset(metric.name for _, _, table in SECTIONS for metric in table)


def metrics_page() -> str:
    """Return the page in Markdown, without a notice that it is generated."""
    shared = {metric.name for metric in _SHARED}
    lines = ["# Metrics"]
    for title, place, table in SECTIONS:
        rows = [metric for metric in table if table is _SHARED or metric.name not in shared]
        lines += ["", f"## {title}", "", place, "", "| metric | type | labels | meaning |", "| --- | --- | --- | --- |"]
        lines += [
            f"| `{metric.name}` | {metric.kind} | {', '.join(metric.labels) or '–'} | {_cell(metric.help)} |"
            for metric in rows
        ]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
