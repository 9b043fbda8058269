"""What the metrics service takes from the mesh's configuration."""

from dataclasses import dataclass

from meshkit import push
from meshkit.configuration.solution import Configuration
from services.metrics.verdict.verdict import Limits


@dataclass(frozen=True, slots=True)
class MetricsConfig:
    """Hold the port of the metrics page, the push if there is one, and what the verdict demands."""

    port: int
    push: push.PushConfig | None
    limits: Limits


def from_configuration(configuration: Configuration) -> MetricsConfig:
    """Take this service's part; raise InvalidInput for a grouping label that Prometheus would refuse."""
    solution = configuration.solution
    section, ocr = solution.metrics_push, solution.mesh.ocr
    return MetricsConfig(
        port=solution.mesh.ports.metrics,
        # PUT, so that processes that are gone vanish at a receiver that replaces groups.
        push=push.read(section, "solution.metricsPush", "PUT", ttl_s=None if section is None else section.ttl_seconds),
        limits=Limits(
            oracles=frozenset(
                f"chainlink-node-{index}" for index in range(solution.bootstrap_nodes + 1, solution.total_nodes + 1)
            ),
            longest_age_s=ocr.delta_c_ms / 1000 + solution.mesh.supervisor.answer_margin_seconds,
            start_s=ocr.delta_progress_ms / 1000 + solution.mesh.supervisor.answer_margin_seconds,
        ),
    )
