"""
What can go wrong with a push.

MeshError
└── Unavailable
    └── PushRefused   the receiver did not take the metrics
"""

from typing import Final

from meshkit.errors import Unavailable

TOO_MANY: Final = 429
UNSUPPORTED_ENCODING: Final = 415


class PushRefused(Unavailable):
    """
    Say that the receiver did not take the metrics; `answered` is its HTTP status, 0 if there was no answer.

    `asked_wait_ms` is how long it asks to wait, None if it does not say. `detail` is what it said of the reason.
    """

    reason = "PUSH_REFUSED"

    def __init__(self, answered: int, detail: str, asked_wait_ms: int | None = None) -> None:
        super().__init__(
            f"the receiver answered HTTP {answered}" if answered else f"the receiver was not reached: {detail}"
        )
        self.answered = answered
        self.detail = detail
        self.asked_wait_ms = asked_wait_ms

    @property
    def worth_a_retry(self) -> bool:
        """Tell whether the same push may be taken in a moment: no answer, or a fault of the receiver without a wait."""
        return self.asked_wait_ms is None and (self.answered in (0, 408) or self.answered >= 500)

    @property
    def of_this_page(self) -> bool:
        """Tell whether the receiver refused what was sent, and may take another page: 400, 413 or 422."""
        return self.answered in (400, 413, 422)
