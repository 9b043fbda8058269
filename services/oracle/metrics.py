"""The node's metrics: the names of the real node where it has them, and those that it lacks for OCR1."""

from collections import OrderedDict

from meshkit.metrics import RPC_METRICS, Metric, Registry
from services.oracle.ocr.state import Trace, TraceKind

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
        "Moments of rounds that this node saw: of each round every one that it reached, such as round_started, "
        "observation_sent, report_sent, final, transmitted.",
        ("job_name", "moment"),
    ),
    Metric("feedmesh_oracle_epoch", "gauge", "Current epoch.", ("job_name",)),
    Metric("feedmesh_oracle_leader", "gauge", "Oracle index of the epoch's leader.", ("job_name",)),
    Metric(
        "feedmesh_oracle_led_rounds_total", "counter", "Rounds with a final report led by this node.", ("job_name",)
    ),
    Metric("feedmesh_oracle_sent_observations_total", "counter", "Own observations sent to leaders.", ("job_name",)),
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

_BY_JOB = ("ocr_median_values", "pipeline_run_errors")
_BY_NAME = tuple(metric for metric in METRICS if metric.labels == ("job_name",))
# A round that never ends is forgotten after so many others of its feed.
_ROUNDS_OPEN = 16


class FeedMetrics:
    """Keep the metrics of one job; `forget` takes them out again."""

    def __init__(self, registry: Registry, job_id: int, job_name: str) -> None:
        self._registry = registry
        self._job = (str(job_id), job_name)
        self._name = job_name
        self._started_ms: OrderedDict[tuple[int, int], int] = OrderedDict()
        self._moments: set[str] = set()

    def observed(self, value: int) -> None:
        """Note an observation, in the feed's decimals."""
        self._registry.gauge("ocr_median_values").labels(*self._job).set(value)

    def failed(self, runs: int) -> None:
        """Note how many runs of the pipeline have failed."""
        self._registry.gauge("pipeline_run_errors").labels(*self._job).set(runs)

    def follow(self, trace: Trace, own_index: int) -> None:
        """Note a moment of a round; `own_index` is this node's place in the configuration."""
        registry, name = self._registry, self._name
        self._moments.add(trace.kind.value)
        registry.counter("feedmesh_oracle_rounds_total").labels(name, trace.kind.value).inc()
        match trace.kind:
            case TraceKind.EPOCH_STARTED:
                registry.gauge("feedmesh_oracle_epoch").labels(name).set(trace.epoch)
                if trace.leader is not None:
                    registry.gauge("feedmesh_oracle_leader").labels(name).set(trace.leader)
            case TraceKind.ROUND_STARTED:
                self._started_ms[trace.epoch, trace.round] = trace.at_ms
                if len(self._started_ms) > _ROUNDS_OPEN:
                    self._started_ms.popitem(last=False)
            case TraceKind.OBSERVATION_SENT:
                registry.counter("feedmesh_oracle_sent_observations_total").labels(name).inc()
            case TraceKind.FINAL:
                self._final(trace, own_index)

    def forget(self) -> None:
        """Take the job's series out: a job that is gone has no values."""
        for name in _BY_JOB:
            self._registry.gauge(name).remove(*self._job)
        for moment in self._moments:
            self._registry.counter("feedmesh_oracle_rounds_total").remove(self._name, moment)
        for metric in _BY_NAME:
            family = getattr(self._registry, metric.kind)(metric.name)
            family.remove(self._name)

    def _final(self, trace: Trace, own_index: int) -> None:
        registry, name = self._registry, self._name
        started_ms = self._started_ms.pop((trace.epoch, trace.round), None)
        if started_ms is not None:
            registry.histogram("feedmesh_oracle_report_seconds").labels(name).observe(
                max(0, trace.at_ms - started_ms) / 1000
            )
        if own_index in trace.observers:
            registry.counter("feedmesh_oracle_included_observations_total").labels(name).inc()
        if trace.leader == own_index:
            registry.counter("feedmesh_oracle_led_rounds_total").labels(name).inc()
