"""What an HTTP answer says of when to come back, within bounds: no wait of nothing, and none for ever."""

from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

SHORTEST_MS: Final = 1_000
LONGEST_MS: Final = 3 * 24 * 3_600_000


def date_ms(header: str | None) -> int | None:
    """Return the Unix time in ms of an HTTP date, None for none or for another text."""
    if header is None:
        return None
    try:
        moment = parsedate_to_datetime(header.strip())
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def retry_after_ms(headers: Mapping[str, str], now_ms: int) -> int | None:
    """
    Return the wait that Retry-After asks for, seconds or a date, or None where it asks for none; three days at most.

    A date is read against the answer's own Date, so that no difference of the clocks counts; without one, against ours.
    """
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return min(int(text[:12]) * 1000, LONGEST_MS)
    until_ms = date_ms(text)
    if until_ms is None:
        return None
    sent_ms = date_ms(headers.get("Date"))
    return min(max(until_ms - (now_ms if sent_ms is None else sent_ms), 0), LONGEST_MS)


def bounded_ms(asked_ms: int | None, usual_ms: int) -> int:
    """Return how long to wait: as asked, a second at least; as usual where nothing, or no time at all, was asked."""
    return max(asked_ms, min(SHORTEST_MS, usual_ms)) if asked_ms else usual_ms
