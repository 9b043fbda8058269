"""What the metrics service takes from the mesh's configuration."""

from dataclasses import dataclass
from typing import Final

from meshkit import feeds, push
from meshkit.configuration.aggregator import ProcessMetricsPush
from meshkit.configuration.feeds.timings import timings
from meshkit.configuration.solution import Configuration, Solution
from services.metrics.verdict.verdict import Limits

# Labels that say which program the aggregator's metrics are of.
_OF_ONE_PROGRAM: Final = frozenset({"service", "job"})


@dataclass(frozen=True, slots=True)
class MetricsConfig:
    """Hold the port of the metrics page, the push if there is one, and what the verdict demands."""

    port: int
    push: push.PushConfig | None
    limits: Limits


def from_configuration(configuration: Configuration) -> MetricsConfig:
    """Take this service's part; raise InvalidInput for a grouping label that Prometheus would refuse."""
    solution = configuration.solution
    section, ocr = _push_section(solution), solution.mesh.ocr
    return MetricsConfig(
        port=solution.mesh.ports.metrics,
        # PUT, so that processes that are gone vanish at a receiver that replaces groups.
        push=push.read(
            section,
            "solution.metricsPush",
            "PUT",
            ttl_s=None if section is None else section.ttl_seconds,
            egress=solution.mesh.egress,
        ),
        limits=Limits(
            oracles=frozenset(
                f"chainlink-node-{index}" for index in range(solution.bootstrap_nodes + 1, solution.total_nodes + 1)
            ),
            longest_age_s=ocr.delta_c_ms / 1000 + solution.mesh.supervisor.answer_margin_seconds,
            longest_ages_s=_own_ages_s(solution),
            start_s=ocr.delta_progress_ms / 1000 + solution.mesh.supervisor.answer_margin_seconds,
        ),
    )


def _own_ages_s(solution: Solution) -> dict[str, float]:
    """Return the longest age of each feed's answer, for feeds that may have another heartbeat than all."""
    mesh = solution.mesh
    heartbeats_ms = {
        name: timings(mesh.ocr, mesh.feed_settings.get(name), feeds.load().get(name)).delta_c_ms
        for name in dict.fromkeys((*mesh.feeds, *mesh.feed_settings))
    }
    return {name: ms / 1000 + mesh.supervisor.answer_margin_seconds for name, ms in heartbeats_ms.items()}


def _push_section(solution: Solution) -> ProcessMetricsPush | None:
    """Return where the process metrics go: where their own section says, else where the aggregator's metrics go."""
    shared = solution.price_aggregator_config.metrics_push
    if solution.metrics_push is not None or not shared.enabled:
        return solution.metrics_push
    labels = {name: value for name, value in shared.grouping_labels.items() if name not in _OF_ONE_PROGRAM}
    return ProcessMetricsPush(
        enabled=True,
        url=shared.url,
        groupingLabels=labels,
        basicAuth=shared.basic_auth,
        headers=shared.headers,
        timeoutMs=shared.timeout_ms,
    )
