"""The texts in which the node's files give quantities: Go durations, sizes in bytes, amounts of wei."""

import re
from decimal import Decimal

_DURATION_UNITS = {
    "ns": Decimal("1e-9"),
    "us": Decimal("1e-6"),
    "µs": Decimal("1e-6"),
    "ms": Decimal("1e-3"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
}
_DURATION_PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|ms|s|m|h)")
_DURATION = re.compile(r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|ms|s|m|h))+")
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(b|kb|mb|gb|tb)?", re.IGNORECASE)
_SIZE_UNITS = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_WEI = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(wei|kwei|mwei|gwei|micro|milli|ether|eth)?", re.IGNORECASE)
_WEI_UNITS = {
    "wei": 1,
    "kwei": 10**3,
    "mwei": 10**6,
    "gwei": 10**9,
    "micro": 10**12,
    "milli": 10**15,
    "ether": 10**18,
    "eth": 10**18,
}


def parse_duration(text: str) -> float:
    """Return the seconds of a Go duration such as `1m30s` or `100ms`; ValueError if it is none."""
    if text == "0":
        return 0.0
    if not _DURATION.fullmatch(text):
        raise ValueError("a Go duration such as '10s' or '1m30s'")
    seconds = sum(Decimal(number) * _DURATION_UNITS[unit] for number, unit in _DURATION_PART.findall(text))
    return float(-seconds if text.startswith("-") else seconds)


def parse_size(text: str) -> int:
    """Return the bytes of a size such as `32768b` or `1mb` (decimal units); ValueError if it is none."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError("a size such as '32768b' or '1mb'")
    return int(Decimal(found[1]) * _SIZE_UNITS[(found[2] or "b").lower()])


def parse_wei(text: str) -> int:
    """Return the wei of an amount such as `5 gwei`; ValueError if it is none or no whole number of wei."""
    found = _WEI.fullmatch(text.strip())
    if found is None:
        raise ValueError("an amount such as '5 gwei' or '1 ether'")
    amount = Decimal(found[1]) * _WEI_UNITS[(found[2] or "wei").lower()]
    if amount != int(amount):
        raise ValueError("a whole number of wei")
    return int(amount)


def format_duration(seconds: float) -> str:
    """Return seconds as Go prints a duration: `1m30s`, `1.125s`, `500ms`, `0s`."""
    whole_ms = round(seconds * 1000)
    if whole_ms < 1000:
        return f"{whole_ms}ms" if whole_ms else "0s"
    minutes, rest_ms = divmod(whole_ms, 60_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{rest_ms / 1000:g}s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text
