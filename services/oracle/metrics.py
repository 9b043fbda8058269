"""The node's metrics: the names of the real node where it has them, and those that it lacks for OCR1."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Literal

from meshkit.metrics import RPC_METRICS, Distribution, Metric, Registry, Sample
from meshkit.ocr.hops import Moment
from meshkit.process.background_tasks import TASK_METRICS
from services.oracle.hop_metrics import HOP_METRICS, HopMetrics, moments_of
from services.oracle.ocr.state import Trace, TraceKind

_LATENCY_BUCKETS = (0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30)


def _derived(name: str, kind: Literal["counter", "gauge"], text: str, *labels: str) -> Metric:
    return Metric(name, kind, text, labels, derived=True)


METRICS = (
    *RPC_METRICS,
    *TASK_METRICS,
    *HOP_METRICS,
    _derived("ocr_median_values", "gauge", "Last observation of a job, after its pipeline.", "job_id", "job_name"),
    _derived("pipeline_run_errors", "gauge", "Failed pipeline runs since the start.", "job_id", "job_name"),
    Metric("health", "gauge", "1 while a part of the node passes its check.", ("service_id",)),
    Metric("head_tracker_current_head", "gauge", "Number of the newest block known.", ("evmChainID",)),
    _derived(
        "feedmesh_oracle_rounds_total",
        "counter",
        "Moments of rounds that this node saw: of each round every one that it reached, such as round_started, "
        "observation_sent, report_sent, final, transmitted.",
        "job_name",
        "moment",
    ),
    _derived(
        "feedmesh_oracle_pinned",
        "gauge",
        "1 while the answer is outside of the contract's minAnswer and maxAnswer, so that no report is sent.",
        "job_name",
    ),
    _derived("feedmesh_oracle_epoch", "gauge", "Current epoch.", "job_name"),
    _derived("feedmesh_oracle_leader", "gauge", "Oracle index of the epoch's leader.", "job_name"),
    _derived("feedmesh_oracle_led_rounds_total", "counter", "Rounds with a final report led by this node.", "job_name"),
    _derived("feedmesh_oracle_sent_observations_total", "counter", "Own observations sent to leaders.", "job_name"),
    _derived("feedmesh_oracle_included_observations_total", "counter", "Own observations in reports.", "job_name"),
    _derived("feedmesh_oracle_observers", "gauge", "Oracles whose observations the last final report has.", "job_name"),
    _derived(
        "feedmesh_oracle_final_reports_total",
        "counter",
        "Final reports of all jobs in which an oracle's observation was, by its index.",
        "oracle",
    ),
    Metric(
        "feedmesh_oracle_report_seconds",
        "histogram",
        "Time from a round's start to its final report, in seconds.",
        ("job_name",),
        _LATENCY_BUCKETS,
        derived=True,
    ),
    _derived(
        "feedmesh_oracle_dropped_round_moments_total",
        "counter",
        "Moments of rounds that are not kept for `feedmesh explain`, for want of room or of a database.",
    ),
    _derived("feedmesh_oracle_events", "gauge", "Counts of the protocol and the network by name.", "part", "event"),
)

_HOPS = {
    TraceKind.OBSERVATION_SENT: Moment.OBSERVED,
    TraceKind.FINAL: Moment.SIGNED,
    TraceKind.TRANSMITTED: Moment.TRANSMITTED,
}
# A round that never ends is forgotten after so many others of its feed.
_ROUNDS_OPEN = 16


class FeedMetrics:
    """
    Keep the figures of one job.

    Attributes:
        median: The last observation, in the feed's decimals; None before the first.
        failed_runs: How many runs of the pipeline have failed; None before the first.
        pinned: Whether the contract does not take the feed's answer.
        leader: The epoch's leader; None before the first epoch.
        moments: How often each kind of moment was seen.
        latency: Seconds from a round's start to its final report.
        led, sent, included: Rounds led to a final report; own observations sent, and found in reports.
        observers: How many oracles' observations the last final report has; None before one.
        reports_of: Final reports with an observation of each oracle, by its index; of all jobs of the node.
    """

    __slots__ = (
        "_hops", "_started_ms", "epoch", "failed_runs", "included", "job_id", "latency", "leader", "led", "median",
        "moments", "name", "observers", "pinned", "reports_of", "sent",
    )  # fmt: skip

    def __init__(self, job_id: int, name: str, reports_of: Counter[int], hops: HopMetrics) -> None:
        self._hops = hops
        self.job_id = str(job_id)
        self.name = name
        self.median: int | None = None
        self.failed_runs: int | None = None
        self.pinned = False
        self.epoch: int | None = None
        self.leader: int | None = None
        self.moments: Counter[str] = Counter()
        self.led = self.sent = self.included = 0
        self.observers: int | None = None
        self.reports_of = reports_of
        self.latency = Distribution.of(_LATENCY_BUCKETS)
        self._started_ms: dict[tuple[int, int], int] = {}

    def follow(self, trace: Trace, own_index: int) -> None:
        """Note a moment of a round; `own_index` is this node's place in the configuration."""
        self.moments[trace.kind.value] += 1
        if (hop := _HOPS.get(trace.kind)) is not None:
            self._hops.note(self.name, trace.epoch, trace.round, {hop: trace.at_ms})
        match trace.kind:
            case TraceKind.EPOCH_STARTED:
                self.epoch = trace.epoch
                self.leader = self.leader if trace.leader is None else trace.leader
            case TraceKind.ROUND_STARTED:
                self._started_ms[trace.epoch, trace.round] = trace.at_ms
                if len(self._started_ms) > _ROUNDS_OPEN:
                    del self._started_ms[next(iter(self._started_ms))]
            case TraceKind.OBSERVATION_SENT:
                self.sent += 1
            case TraceKind.FINAL:
                self._final(trace, own_index)

    def priced(self, epoch: int, round_number: int, answers: Iterable[str]) -> None:
        """Note what the bridges answered to the pipeline of a round."""
        for answer in answers:
            self._hops.note(self.name, epoch, round_number, moments_of(answer))

    def _final(self, trace: Trace, own_index: int) -> None:
        started_ms = self._started_ms.pop((trace.epoch, trace.round), None)
        if started_ms is not None:
            self.latency.observe(max(0, trace.at_ms - started_ms) / 1000)
        self.included += own_index in trace.observers
        self.observers = len(trace.observers)
        self.reports_of.update(trace.observers)
        self.led += trace.leader == own_index


class OracleMetrics:
    """Keep the figures of all jobs of a node, and show them with each rendering of the registry."""

    def __init__(self, registry: Registry) -> None:
        self._feeds: dict[str, FeedMetrics] = {}
        # Not of each job, which would be oracles times feeds for each node; so it outlives them too.
        self._reports_of: Counter[int] = Counter()
        self.hops = HopMetrics(registry)
        by_job: dict[str, Callable[[FeedMetrics], float | Distribution | None]] = {
            "ocr_median_values": lambda feed: feed.median,
            "pipeline_run_errors": lambda feed: feed.failed_runs,
        }
        by_name: dict[str, Callable[[FeedMetrics], float | Distribution | None]] = {
            "feedmesh_oracle_report_seconds": lambda feed: feed.latency,
            "feedmesh_oracle_pinned": lambda feed: feed.pinned,
            "feedmesh_oracle_observers": lambda feed: feed.observers,
            "feedmesh_oracle_epoch": lambda feed: feed.epoch,
            "feedmesh_oracle_leader": lambda feed: feed.leader,
            "feedmesh_oracle_led_rounds_total": lambda feed: feed.led,
            "feedmesh_oracle_sent_observations_total": lambda feed: feed.sent,
            "feedmesh_oracle_included_observations_total": lambda feed: feed.included,
        }
        for name, value in by_job.items():
            registry.derive(name, partial(self._known, value, lambda feed: (feed.job_id, feed.name)))
        for name, value in by_name.items():
            registry.derive(name, partial(self._known, value, lambda feed: (feed.name,)))
        registry.derive("feedmesh_oracle_rounds_total", self._moments)
        registry.derive(
            "feedmesh_oracle_final_reports_total",
            lambda: (((str(oracle),), count) for oracle, count in self._reports_of.items()),
        )

    def add(self, job_id: int, name: str) -> FeedMetrics:
        """Return the figures of a job, which are shown from now on."""
        self._feeds[name] = FeedMetrics(job_id, name, self._reports_of, self.hops)
        return self._feeds[name]

    def remove(self, feed: FeedMetrics) -> None:
        """Show a job no longer: a job that is gone has no values."""
        if self._feeds.get(feed.name) is feed:
            del self._feeds[feed.name]
            self.hops.forget(feed.name)

    def _known(
        self,
        value: Callable[[FeedMetrics], float | Distribution | None],
        labels: Callable[[FeedMetrics], tuple[str, ...]],
    ) -> Iterator[Sample]:
        for feed in self._feeds.values():
            if (known := value(feed)) is not None:
                yield labels(feed), known

    def _moments(self) -> Iterator[Sample]:
        for feed in self._feeds.values():
            for moment, count in feed.moments.items():
                yield (feed.name, moment), count
