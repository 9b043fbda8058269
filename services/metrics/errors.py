"""
Errors of the metrics service.

MeshError
├── FailedPrecondition
│   ├── PushNotConfigured   no receiver is configured
│   └── PortInUse           another process listens on the port of the metrics page
└── Unavailable
    └── PushRefused         the receiver did not take the metrics
"""

from meshkit.errors import FailedPrecondition, Unavailable


class PushNotConfigured(FailedPrecondition):
    """Say that there is nowhere to push to."""

    reason = "PUSH_NOT_CONFIGURED"

    def __init__(self) -> None:
        super().__init__("no push is configured: set solution.metricsPush.enabled and .url")


class PortInUse(FailedPrecondition):
    """Say that the port of the metrics page is taken."""

    reason = "PORT_IN_USE"

    def __init__(self, host: str, port: int) -> None:
        super().__init__(f"{host}:{port} (solution.mesh.ports.metrics) of process-metrics is in use by another process")
        self.port = port


class PushRefused(Unavailable):
    """Say that the receiver did not take the metrics; `answered` is its HTTP status, 0 if there was no answer."""

    reason = "PUSH_REFUSED"

    def __init__(self, answered: int, detail: str) -> None:
        super().__init__(
            f"the receiver answered HTTP {answered}" if answered else f"the receiver was not reached: {detail}"
        )
        self.answered = answered

    @property
    def worth_a_retry(self) -> bool:
        """Tell whether the same push may be taken later: no answer, too many requests, or a fault of the receiver."""
        return self.answered in (0, 408, 429) or self.answered >= 500
