"""
Every metric of this service in one table.

The five names that begin the table are fixed: dashboards of existing deployments use them. They break Prometheus'
naming rules (a percentage, kilobytes, a counter that ends in `_count`), so each has a conventional twin.
"""

from typing import Final

from services.metrics.exposition import Metric

_PROCESS: Final = ("service", "process", "pid")
_SERVICE: Final = ("service",)

PROCESS_LIST: Final = Metric("chainlink_process_list", "gauge", "1 for every process of the mesh.", _PROCESS)
PROCESS_CPU_PERCENT: Final = Metric(
    "chainlink_process_cpu_percent",
    "gauge",
    "CPU use since the sample before, 100 for one whole core; 0 in a process's first sample.",
    _PROCESS,
)
PROCESS_MEMORY_RSS_KB: Final = Metric(
    "chainlink_process_memory_rss_kb", "gauge", "Resident memory in units of 1024 bytes.", _PROCESS
)
S6_SERVICE_RESTART_COUNT: Final = Metric(
    "chainlink_s6_service_restart_count", "counter", "Restarts after crashes since the supervisor started.", _SERVICE
)
S6_SERVICE_LAST_RESTART_TS: Final = Metric(
    "chainlink_s6_service_last_restart_ts",
    "gauge",
    "Unix time in seconds of the last restart after a crash; 0 if there was none.",
    _SERVICE,
)

PROCESS_INFO: Final = Metric("chainlink_process_info", "gauge", "1 for every process of the mesh.", _PROCESS)
PROCESS_CPU_SECONDS: Final = Metric(
    "chainlink_process_cpu_seconds_total", "counter", "CPU time since the process started.", (*_PROCESS, "mode")
)
PROCESS_RESIDENT_BYTES: Final = Metric(
    "chainlink_process_resident_memory_bytes", "gauge", "Resident memory in bytes.", _PROCESS
)
PROCESS_START_TIME: Final = Metric(
    "chainlink_process_start_time_seconds", "gauge", "Unix time at which the process started.", _PROCESS
)
SERVICE_RESTARTS: Final = Metric(
    "chainlink_service_restarts_total", "counter", "Restarts after crashes since the supervisor started.", _SERVICE
)
SERVICE_LAST_RESTART: Final = Metric(
    "chainlink_service_last_restart_timestamp_seconds",
    "gauge",
    "Unix time of the last restart after a crash; absent if there was none.",
    _SERVICE,
)

SUPERVISOR_UP: Final = Metric(
    "feedmesh_supervisor_up", "gauge", "1 if the supervisor answered this measurement, 0 if what it last said is used."
)
MEMORY_LIMIT: Final = Metric(
    "feedmesh_memory_limit_bytes",
    "gauge",
    "Memory that the mesh may use: the machine's, or the least limit of the control groups around it.",
)

FIXED: Final = (
    PROCESS_LIST,
    PROCESS_CPU_PERCENT,
    PROCESS_MEMORY_RSS_KB,
    S6_SERVICE_RESTART_COUNT,
    S6_SERVICE_LAST_RESTART_TS,
)
TABLE: Final = (
    *FIXED,
    PROCESS_INFO,
    PROCESS_CPU_SECONDS,
    PROCESS_RESIDENT_BYTES,
    PROCESS_START_TIME,
    SERVICE_RESTARTS,
    SERVICE_LAST_RESTART,
    SUPERVISOR_UP,
    MEMORY_LIMIT,
)
