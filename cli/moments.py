"""Moments as they are given on the command line."""

import re
from datetime import datetime

from cli.errors import UsageError

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def since_ms(text: str, now_s: float) -> int | None:
    """Return the time that `90s`, `5m`, `2h`, `1d` (ago) or an ISO time means, None for nothing; or UsageError."""
    if not text:
        return None
    if ago := re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text):
        return round((now_s - float(ago[1]) * _UNITS_S[ago[2]]) * 1000)
    try:
        return round(datetime.fromisoformat(text).timestamp() * 1000)
    except ValueError:
        raise UsageError(f"--since: found {text!r}, allowed: 90s, 5m, 2h, 1d or an ISO time") from None
