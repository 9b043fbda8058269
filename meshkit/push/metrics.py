"""The push's own metrics, one table for all who push."""

from collections.abc import Callable, Iterator
from functools import partial

from meshkit.metrics import Metric, Registry, Sample
from meshkit.push.pusher import Pusher

PUSH_METRICS = (
    Metric(
        "feedmesh_metrics_push_timestamp_seconds",
        "gauge",
        "Unix time of the last push that was taken; 0 before the first.",
        derived=True,
    ),
    Metric(
        "feedmesh_metrics_push_age_seconds",
        "gauge",
        "Time since the last push that was taken; absent before the first.",
        derived=True,
    ),
    Metric("feedmesh_metrics_push_successes_total", "counter", "Pushes that were taken.", derived=True),
    Metric(
        "feedmesh_metrics_push_failures_total", "counter", "Pushes that were given up after all retries.", derived=True
    ),
    Metric("feedmesh_metrics_push_samples", "gauge", "Samples of the last push that was taken.", derived=True),
    Metric(
        "feedmesh_metrics_push_lost_samples",
        "gauge",
        "Samples of the last push that was asked after which the receiver does not have; absent if it does not say.",
        derived=True,
    ),
    Metric("feedmesh_metrics_push_seconds", "gauge", "Time that the last push took, in seconds.", derived=True),
)


def show(registry: Registry, pusher: Pusher, time_ms: Callable[[], int]) -> None:
    """Show a pusher's figures with each rendering of a registry that has the table."""

    def age_s() -> float | None:
        return (time_ms() - pusher.last_success_ms) / 1000 if pusher.last_success_ms else None

    figures: dict[str, Callable[[], float | None]] = {
        "feedmesh_metrics_push_timestamp_seconds": lambda: pusher.last_success_ms / 1000,
        "feedmesh_metrics_push_age_seconds": age_s,
        "feedmesh_metrics_push_successes_total": lambda: pusher.successes,
        "feedmesh_metrics_push_failures_total": lambda: pusher.failures,
        "feedmesh_metrics_push_samples": lambda: pusher.last_samples,
        "feedmesh_metrics_push_lost_samples": lambda: pusher.lost,
        "feedmesh_metrics_push_seconds": lambda: pusher.last_seconds,
    }
    for name, value in figures.items():
        registry.derive(name, partial(_sample, value))


def _sample(value: Callable[[], float | None]) -> Iterator[Sample]:
    if (known := value()) is not None:
        yield (), known
