"""
Errors of the metrics service.

MeshError
└── FailedPrecondition
    └── PushNotConfigured   no receiver is configured
"""

from meshkit.errors import FailedPrecondition


class PushNotConfigured(FailedPrecondition):
    """Say that there is nowhere to push to."""

    reason = "PUSH_NOT_CONFIGURED"

    def __init__(self) -> None:
        super().__init__("no push is configured: set solution.metricsPush.enabled and .url")
