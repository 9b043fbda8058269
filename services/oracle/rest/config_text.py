"""The node's configuration as TOML: all that is in force, or what the file said of it; no secrets are in it."""

from collections.abc import Iterator
from typing import Any

from chainlink.units import format_duration_s
from services.oracle.settings_types import Table, key_of, settings_of

_BYTES_UNITS = ((10**9, "gb"), (10**6, "mb"), (10**3, "kb"))
_WEI_UNITS = (
    *((10**18, "ether"), (10**15, "milli"), (10**12, "micro"), (10**9, "gwei")),
    *((10**6, "mwei"), (10**3, "kwei"), (1, "wei")),
)


def toml_of(table: Table, *, said_only: bool = False) -> str:
    """Return a table's TOML; with `said_only` without what is the default."""
    return "\n".join(_lines(table, "", said_only)).lstrip("\n") + "\n"


def _lines(table: Table, path: str, said_only: bool) -> Iterator[str]:
    """Yield the table's own values, then its tables, then its lists of tables, as Go writes them."""
    inner: list[tuple[str, Table]] = []
    lists: list[tuple[str, tuple[Table, ...]]] = []
    for setting in settings_of(type(table)):
        field, name = setting.name, key_of(setting)
        if said_only and field not in table.said:
            continue
        value = getattr(table, field)
        if isinstance(value, Table):
            inner.append((name, value))
        elif isinstance(value, tuple) and value and isinstance(value[0], Table):
            lists.append((name, value))
        elif value is not None:
            yield f"{name} = {_value(field, value)}"
    for name, value in inner:
        below = list(_lines(value, f"{path}{name}.", said_only))
        if below:
            yield from ("", f"[{path}{name}]", *below)
    for name, values in lists:
        for value in values:
            yield from ("", f"[[{path}{name}]]", *_lines(value, f"{path}{name}.", said_only))


def _value(field: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f"[{', '.join(_quoted(item) for item in value)}]"
    if field.endswith("_s"):
        return _quoted(format_duration_s(value))
    if field.endswith("_bytes"):
        return _quoted(_size(value))
    if field.endswith("_wei"):
        return _quoted(_wei(value))
    return str(value) if isinstance(value, int) else _quoted(value)


def _quoted(value: object) -> str:
    text = str(value)
    if "'" in text or "\n" in text:
        escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{escaped}"'
    return f"'{text}'"


def _size(count: int) -> str:
    unit = next(((size, name) for size, name in _BYTES_UNITS if count >= size), None)
    return f"{count}b" if unit is None else f"{count / unit[0]:.2f}{unit[1]}"


def _wei(wei: int) -> str:
    # The largest unit of which it is a whole number.
    size, name = next((unit for unit in _WEI_UNITS if wei and wei % unit[0] == 0), _WEI_UNITS[-1])
    return f"{wei // size} {name}"
