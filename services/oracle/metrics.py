"""The node's metrics: the names of the real node where it has them, and those that it lacks for OCR1."""

from meshkit.metrics import RPC_METRICS, Metric

_LATENCY_BUCKETS = (0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30)

METRICS = (
    *RPC_METRICS,
    Metric("ocr_median_values", "gauge", "Last observation of a job, after its pipeline.", ("job_id", "job_name")),
    Metric("pipeline_run_errors", "gauge", "Failed pipeline runs since the start.", ("job_id", "job_name")),
    Metric("health", "gauge", "1 while a part of the node passes its check.", ("service_id",)),
    Metric("head_tracker_current_head", "gauge", "Number of the newest block known.", ("evmChainID",)),
    Metric(
        "feedmesh_oracle_rounds_total",
        "counter",
        "Rounds by the last moment they reached, such as round_started, report_sent, final, transmitted.",
        ("job_name", "moment"),
    ),
    Metric("feedmesh_oracle_epoch", "gauge", "Current epoch.", ("job_name",)),
    Metric("feedmesh_oracle_leader", "gauge", "Oracle index of the epoch's leader.", ("job_name",)),
    Metric("feedmesh_oracle_included_observations_total", "counter", "Own observations in reports.", ("job_name",)),
    Metric(
        "feedmesh_oracle_report_seconds",
        "histogram",
        "Time from a round's start to its final report, in seconds.",
        ("job_name",),
        _LATENCY_BUCKETS,
    ),
    Metric("feedmesh_oracle_events", "gauge", "Counts of the protocol and the network by name.", ("part", "event")),
)
