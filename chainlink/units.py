"""The texts in which Chainlink writes quantities: Go durations, sizes in bytes, amounts of wei."""

import re

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
_DURATION_UNITS_NS = {
    "ns": 1,
    "us": 1_000,
    "\u00b5s": 1_000,  # micro sign
    "\u03bcs": 1_000,  # Greek letter mu
    "ms": NS_PER_MS,
    "s": NS_PER_S,
    "m": 60 * NS_PER_S,
    "h": 3600 * NS_PER_S,
}
_PART = re.compile(
    rf"([0-9]*)(?:\.([0-9]*))?({'|'.join(sorted(_DURATION_UNITS_NS, key=len, reverse=True))})(?![^0-9.])"
)
_LONGEST_NS = (1 << 63) - 1
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(b|kb|mb|gb|tb)?", re.IGNORECASE)
_SIZE_UNITS = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_WEI = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([a-z]+)?", re.IGNORECASE)
_WEI_UNITS = {
    "wei": 1,
    "kwei": 10**3,
    "mwei": 10**6,
    "gwei": 10**9,
    "micro": 10**12,
    "milli": 10**15,
    "ether": 10**18,
    "eth": 10**18,
    "keth": 10**21,
    "meth": 10**24,
    "geth": 10**27,
    "teth": 10**30,
}


def parse_duration_ns(text: str) -> int:
    """
    Return the nanoseconds of a duration such as `1m30s`, `1.5h` or `.5s`, exactly as Go's `time.ParseDuration` does.

    Raises:
        ValueError: when it is none; the error's text is what is allowed.
    """
    rest = text[1:] if text[:1] in ("+", "-") else text
    if rest == "0":
        return 0
    total_ns, position = 0, 0
    while part := _PART.match(rest, position):
        whole, fraction, unit = part[1], part[2] or "", part[3]
        if not whole and not fraction:
            break
        unit_ns = _DURATION_UNITS_NS[unit]
        total_ns += int(whole or "0") * unit_ns + _fraction_ns(fraction, unit_ns)
        position = part.end()
    if position == 0 or position < len(rest):
        raise ValueError("a Go duration such as '10s' or '1m30s'")
    negative = text.startswith("-")
    if total_ns > _LONGEST_NS + negative:
        raise ValueError("a Go duration of less than 2^63 nanoseconds")
    return -total_ns if negative else total_ns


def parse_duration_s(text: str) -> float:
    """Return the seconds of a Go duration; ValueError as `parse_duration_ns`."""
    return parse_duration_ns(text) / NS_PER_S


def format_duration_ns(duration_ns: int) -> str:
    """Return nanoseconds as Go prints a duration: `1m30s`, `1.125s`, `500ms`, `0s`."""
    sign, left_ns = ("-", -duration_ns) if duration_ns < 0 else ("", duration_ns)
    if left_ns < NS_PER_S:
        unit = next((unit for unit in ("ms", "\u00b5s", "ns") if left_ns >= _DURATION_UNITS_NS[unit]), "s")
        return f"{sign}{_decimal(left_ns, _DURATION_UNITS_NS[unit])}{unit}"
    minutes, seconds_ns = divmod(left_ns, 60 * NS_PER_S)
    hours, minutes = divmod(minutes, 60)
    text = f"{_decimal(seconds_ns, NS_PER_S)}s"
    if hours:
        return f"{sign}{hours}h{minutes}m{text}"
    return f"{sign}{minutes}m{text}" if minutes else sign + text


def format_duration_s(seconds: float) -> str:
    """Return seconds, to the nanosecond, as Go prints a duration."""
    return format_duration_ns(round(seconds * NS_PER_S))


def parse_size(text: str) -> int:
    """Return the bytes of a size such as `32768b` or `1mb` (decimal units); ValueError if it is none."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError("a size such as '32768b' or '1mb'")
    return _whole(found[1], _SIZE_UNITS[(found[2] or "b").lower()], "bytes")


def parse_wei(text: str) -> int:
    """Return the wei of an amount such as `5 gwei`; ValueError if it is none or no whole number of wei."""
    found = _WEI.fullmatch(text.strip())
    unit = _WEI_UNITS.get((found[2] or "wei").lower()) if found else None
    if found is None or unit is None:
        raise ValueError("an amount such as '5 gwei' or '1 ether'")
    return _whole(found[1], unit, "wei")


def _fraction_ns(digits: str, unit_ns: int) -> int:
    """Return a decimal fraction of a unit, with the digits that fit 63 bits and the rounding of Go's own floats."""
    used = 0
    for position in range(1, len(digits) + 1):
        if int(digits[:position]) > _LONGEST_NS:
            break
        used = position
    return int(float(int(digits[:used] or "0")) * (unit_ns / float(10**used)))


def _decimal(value_ns: int, unit_ns: int) -> str:
    whole, rest = divmod(value_ns, unit_ns)
    if not rest:
        return str(whole)
    return f"{whole}.{rest:0{len(str(unit_ns)) - 1}d}".rstrip("0")


def _whole(number: str, unit: int, name: str) -> int:
    whole, _, fraction = number.partition(".")
    # Not by Decimal, which rounds after 28 digits.
    scale: int = 10 ** len(fraction)
    value, rest = divmod(int(whole + fraction) * unit, scale)
    if rest:
        raise ValueError(f"a whole number of {name}")
    return value
