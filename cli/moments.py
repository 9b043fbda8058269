"""Moments as they are given on the command line."""

from cli.errors import UsageError
from meshkit.explain.selection import moment_ms


def since_ms(text: str, now_s: float) -> int | None:
    """Return the time that `90s`, `5m`, `2h`, `1d` (ago) or an ISO time means, None for nothing; or UsageError."""
    if not text:
        return None
    if (found := moment_ms(text, now_s)) is None:
        raise UsageError(f"--since: found {text!r}, allowed: 90s, 5m, 2h, 1d or an ISO time")
    return found
