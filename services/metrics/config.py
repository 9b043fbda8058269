"""What the metrics service takes from the mesh's configuration."""

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from meshkit.configuration.aggregator import ProcessMetricsPush
from meshkit.configuration.solution import Configuration
from meshkit.errors import InvalidInput

TTL_LABEL: Final = "ttl"
_LABEL_NAME: Final = re.compile("[a-zA-Z_][a-zA-Z0-9_]*")
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class PushConfig:
    """Hold where and how to push; `labels` are added to every sample, headers and password are secrets."""

    url: str
    interval_ms: int
    timeout_ms: int
    labels: Mapping[str, str]
    ttl: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def in_clear(self) -> bool:
        """Tell whether credentials would leave this host without encryption."""
        parts = urlsplit(self.url)
        return parts.scheme == "http" and parts.hostname not in _LOOPBACK and bool(self.username or self.headers)


@dataclass(frozen=True, slots=True)
class MetricsConfig:
    """Hold the port of the metrics page and, if there is one, the push."""

    port: int
    push: PushConfig | None


def from_configuration(configuration: Configuration) -> MetricsConfig:
    """Take this service's part; raise InvalidInput for a grouping label that Prometheus would refuse."""
    section = configuration.solution.metrics_push
    enabled = section is not None and section.enabled
    return MetricsConfig(
        port=configuration.solution.mesh.ports.metrics,
        push=_push(section) if enabled and section is not None else None,
    )


def _push(section: ProcessMetricsPush) -> PushConfig:
    if section.url is None:  # the model refuses this; the type checker cannot know
        raise InvalidInput("solution.metricsPush.url", None, "an http or https address when enabled is true")
    for name in section.grouping_labels:
        if not _LABEL_NAME.fullmatch(name) or name.startswith("__"):
            raise InvalidInput("solution.metricsPush.groupingLabels", name, f"names that match {_LABEL_NAME.pattern}")
    own = {"job": section.job_name, "instance": socket.gethostname(), TTL_LABEL: str(section.ttl_seconds)}
    labels = own | section.grouping_labels
    return PushConfig(
        url=section.url,
        interval_ms=section.interval_ms,
        timeout_ms=section.timeout_ms,
        labels=labels,
        ttl=labels[TTL_LABEL],
        username=section.basic_auth.username if section.basic_auth else None,
        password=section.basic_auth.password.get_secret_value() if section.basic_auth else None,
        headers={name: value.get_secret_value() for name, value in section.headers.items()},
    )
