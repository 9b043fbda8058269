"""The page keeps its contract: names, types and labels that dashboards rely on."""

from services.metrics import names
from services.metrics.exposition import render
from services.metrics.families import samples
from services.metrics.snapshot import ProcessReading, ProcessSample, ServiceSample, Snapshot

SNAPSHOT = Snapshot(
    time_ms=1_700_000_000_000,
    processes=(
        ProcessSample("postgres", ProcessReading(77, 1_699_999_000.25, "postgres", 1.5, 0.5, 3_145_733), 12.3456),
        ProcessSample("price-aggregator", ProcessReading(80, 1_699_999_900.0, "python", 0.1, 0.0, 1024), None),
    ),
    services=(ServiceSample("postgres", 77, 0, None), ServiceSample("price-aggregator", 80, 2, 1_699_999_900_700)),
    supervisor_up=True,
)

PAGE = """\
# HELP chainlink_process_list 1 for every process of the mesh.
# TYPE chainlink_process_list gauge
chainlink_process_list{service="postgres",process="postgres",pid="77"} 1
chainlink_process_list{service="price-aggregator",process="python",pid="80"} 1
# HELP chainlink_process_cpu_percent CPU use since the sample before, 100 for one whole core; 0 in a process's first \
sample.
# TYPE chainlink_process_cpu_percent gauge
chainlink_process_cpu_percent{service="postgres",process="postgres",pid="77"} 12.346
chainlink_process_cpu_percent{service="price-aggregator",process="python",pid="80"} 0.0
# HELP chainlink_process_memory_rss_kb Resident memory in units of 1024 bytes.
# TYPE chainlink_process_memory_rss_kb gauge
chainlink_process_memory_rss_kb{service="postgres",process="postgres",pid="77"} 3072
chainlink_process_memory_rss_kb{service="price-aggregator",process="python",pid="80"} 1
# HELP chainlink_process_info 1 for every process of the mesh.
# TYPE chainlink_process_info gauge
chainlink_process_info{service="postgres",process="postgres",pid="77"} 1
chainlink_process_info{service="price-aggregator",process="python",pid="80"} 1
# HELP chainlink_process_cpu_seconds_total CPU time since the process started.
# TYPE chainlink_process_cpu_seconds_total counter
chainlink_process_cpu_seconds_total{service="postgres",process="postgres",pid="77",mode="user"} 1.5
chainlink_process_cpu_seconds_total{service="postgres",process="postgres",pid="77",mode="system"} 0.5
chainlink_process_cpu_seconds_total{service="price-aggregator",process="python",pid="80",mode="user"} 0.1
chainlink_process_cpu_seconds_total{service="price-aggregator",process="python",pid="80",mode="system"} 0.0
# HELP chainlink_process_resident_memory_bytes Resident memory in bytes.
# TYPE chainlink_process_resident_memory_bytes gauge
chainlink_process_resident_memory_bytes{service="postgres",process="postgres",pid="77"} 3145733
chainlink_process_resident_memory_bytes{service="price-aggregator",process="python",pid="80"} 1024
# HELP chainlink_process_start_time_seconds Unix time at which the process started.
# TYPE chainlink_process_start_time_seconds gauge
chainlink_process_start_time_seconds{service="postgres",process="postgres",pid="77"} 1699999000.25
chainlink_process_start_time_seconds{service="price-aggregator",process="python",pid="80"} 1699999900.0
# HELP chainlink_s6_service_restart_count Restarts after crashes since the supervisor started.
# TYPE chainlink_s6_service_restart_count counter
chainlink_s6_service_restart_count{service="postgres"} 0
chainlink_s6_service_restart_count{service="price-aggregator"} 2
# HELP chainlink_s6_service_last_restart_ts Unix time in seconds of the last restart after a crash; 0 if there was none.
# TYPE chainlink_s6_service_last_restart_ts gauge
chainlink_s6_service_last_restart_ts{service="postgres"} 0
chainlink_s6_service_last_restart_ts{service="price-aggregator"} 1699999900
# HELP chainlink_service_restarts_total Restarts after crashes since the supervisor started.
# TYPE chainlink_service_restarts_total counter
chainlink_service_restarts_total{service="postgres"} 0
chainlink_service_restarts_total{service="price-aggregator"} 2
# HELP chainlink_service_last_restart_timestamp_seconds Unix time of the last restart after a crash; absent if there \
was none.
# TYPE chainlink_service_last_restart_timestamp_seconds gauge
chainlink_service_last_restart_timestamp_seconds{service="price-aggregator"} 1699999900.7
# HELP feedmesh_supervisor_up 1 if the supervisor answered this measurement, 0 if what it last said is used.
# TYPE feedmesh_supervisor_up gauge
feedmesh_supervisor_up 1
"""


def test_page_is_literal() -> None:
    """The whole page of a known snapshot, byte for byte."""
    assert render(samples(SNAPSHOT)) == PAGE


def test_fixed_names_are_first_and_exact() -> None:
    """The five names that existing dashboards use have these names, types and labels."""
    process, service = ("service", "process", "pid"), ("service",)

    assert [
        ("chainlink_process_list", "gauge", process),
        ("chainlink_process_cpu_percent", "gauge", process),
        ("chainlink_process_memory_rss_kb", "gauge", process),
        ("chainlink_s6_service_restart_count", "counter", service),
        ("chainlink_s6_service_last_restart_ts", "gauge", service),
    ] == [(metric.name, metric.kind, metric.labels) for metric in names.FIXED]


def test_table_has_each_name_once_with_help() -> None:
    """No name is declared twice, and every metric says what it measures."""
    assert len(names.TABLE) == len({metric.name for metric in names.TABLE})
    assert all(metric.help for metric in names.TABLE)


def test_supervisor_down_is_zero() -> None:
    """An unreachable supervisor shows as 0."""
    text = render(samples(Snapshot(0, (), (), supervisor_up=False)))

    assert text.endswith("\nfeedmesh_supervisor_up 0\n")
