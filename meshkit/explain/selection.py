"""Which kept round is meant: the contract's number, epoch and round, or a time."""

import re
from dataclasses import dataclass
from datetime import datetime

from meshkit.errors import InvalidInput

_PLACE = re.compile(r"(\d{1,9})/(\d{1,3})")
_NUMBER = re.compile(r"\d{1,18}")
_AGO = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)([smhd])")
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_UNDER_WAY_S = 5.0
# A time before it, or after it, is none that a message can carry.
_EARLIEST_MS, _LATEST_MS = 0, 253_402_300_799_000


@dataclass(frozen=True, slots=True)
class Selection:
    """
    Say which round is meant: by the contract's number, by epoch and round, or the last one that began until a time.

    `or_newer`: where there is none until then, the last one of all. `asked_ms`: until when nothing else was to happen,
    where the last round until a time is asked for.
    """

    contract_round: int = 0
    epoch: int = 0
    round: int = 0
    until_ms: int | None = None
    or_newer: bool = False
    asked_ms: int | None = None


def read_selection(text: str, now_s: float) -> Selection:
    """
    Return what `812`, `7/3`, `5m`, an ISO time or nothing (the last round that had some seconds) select.

    Raises:
        InvalidInput: for any other text.
    """
    if not text:
        # Of a round that has just begun nothing can be said yet.
        until_s = now_s - _UNDER_WAY_S
        return Selection(until_ms=round(until_s * 1000), or_newer=True, asked_ms=round(now_s * 1000))
    if place := _PLACE.fullmatch(text):
        return Selection(epoch=int(place[1]), round=int(place[2]))
    if _NUMBER.fullmatch(text):
        return Selection(contract_round=int(text))
    until_ms = moment_ms(text, now_s)
    if until_ms is None or not _EARLIEST_MS <= until_ms <= _LATEST_MS:
        allowed = "the contract's number, EPOCH/ROUND, 90s, 5m, 2h, 1d ago or an ISO time"
        raise InvalidInput("ROUND", text, allowed)
    return Selection(until_ms=until_ms, asked_ms=until_ms)


def moment_ms(text: str, now_s: float) -> int | None:
    """Return the time in Unix milliseconds that `90s`, `5m`, `2h`, `1d` (ago) or an ISO time means; None for others."""
    if ago := _AGO.fullmatch(text):
        return round((now_s - float(ago[1]) * _UNITS_S[ago[2]]) * 1000)
    try:
        return round(datetime.fromisoformat(text).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
