"""
Why a stream is down; none of these leaves the package.

    Exception
    └── StreamDown       a connection could not be made or has ended

Its text never holds an address: some addresses hold the key.
"""


class StreamDown(Exception):
    """
    A connection could not be made or has ended.

    Args:
        reason: One of a few words for metrics: refused, token, closed, silent, quiet, renewal, error, crashed.
        detail: What happened, for the log.
        wait_s: How long the provider asks us to wait before the next connect.
        is_standing: Whether the provider refuses us, so that asking again soon is in vain.
    """

    def __init__(self, reason: str, detail: str, *, wait_s: float = 0.0, is_standing: bool = False) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail
        self.wait_s = wait_s
        self.is_standing = is_standing

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"
