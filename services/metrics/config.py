"""What the metrics service takes from the mesh's configuration."""

from dataclasses import dataclass

from meshkit import push
from meshkit.configuration.solution import Configuration


@dataclass(frozen=True, slots=True)
class MetricsConfig:
    """Hold the port of the metrics page and, if there is one, the push."""

    port: int
    push: push.PushConfig | None


def from_configuration(configuration: Configuration) -> MetricsConfig:
    """Take this service's part; raise InvalidInput for a grouping label that Prometheus would refuse."""
    section = configuration.solution.metrics_push
    return MetricsConfig(
        port=configuration.solution.mesh.ports.metrics,
        # PUT, so that processes that are gone vanish at a receiver that replaces groups.
        push=push.read(section, "solution.metricsPush", "PUT", ttl_s=None if section is None else section.ttl_seconds),
    )
