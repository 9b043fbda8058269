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
        reason: One of a few words for metrics: refused, token, closed, silent, quiet, renewal.
        detail: What happened, for the log.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"
