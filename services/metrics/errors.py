"""
Errors of the metrics service.

MeshError
└── FailedPrecondition
    ├── PushNotConfigured   no receiver is configured
    └── PortInUse           another process listens on the port of the metrics page
"""

from meshkit.errors import FailedPrecondition


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
