"""What the node's reader of TOML says of tables' heads, and of numbers and dates, that are none."""

import re

_HEAD = re.compile(r"[ \t]*\[")
_VALUE = re.compile(r"[^=\[\]{}\"'#]*=[ \t]*(?P<value>[+-]?[0-9][0-9_.:TZeE+-]*)")
_ENDS_WITH_A_DOT = re.compile(r"[+-]?[0-9_]+\.(?![0-9])")
_DATE = re.compile(r"[0-9]{4}-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})")
_MOST_MONTHS, _MOST_DAYS = 12, 31


def table_fault(what: str, content: str, line: int, column: int) -> str:
    """Return `(line, column): what` for a fault of a table's head, or of a key of several parts; empty if none."""
    here, is_head = content[column - 1 : column], _HEAD.match(content) is not None
    first = f"({line}, {content.find('[') + 2})" if is_head else f"({line}, {len(content) - len(content.lstrip()) + 1})"
    if what.startswith("Cannot declare") and is_head:
        return f"{first}: duplicated tables"
    if what.startswith("Invalid initial character for a key part"):
        if content[: column - 1].rstrip().endswith("."):
            return f"{first}: invalid {'table array key' if is_head else 'key'}: unexpected end of key"
        return f'{first}: unexpected token "]", was expecting a table key' if is_head and here == "]" else ""
    if what.startswith("Expected ']]' at the end"):
        return f"({line}, {column}): was expecting token [[, but got unclosed table array key instead"
    if what.startswith("Expected ']' at the end") and here:
        return f"{first}: invalid table array key: invalid key character after whitespace: {here}"
    if what.startswith("Expected newline") and is_head and here == "]":
        return f"({line}, {column}): parsing error: keys cannot contain ] character"
    return ""


def number_fault(content: str, line: int) -> str:
    """Return the same for a line whose value begins like a number or a date; empty if that is not at fault."""
    found = _VALUE.match(content)
    if found is None:
        return ""
    value, place = found["value"], f"({line}, {found.start('value') + 1})"
    if _ENDS_WITH_A_DOT.match(value):
        return f"{place}: float cannot end with a dot"
    if value.endswith("_") or "__" in value:
        return f"{place}: invalid use of _ in number"
    if date := _DATE.match(value):
        for name, most in (("month", _MOST_MONTHS), ("day", _MOST_DAYS)):
            if not 1 <= int(date[name]) <= most:
                return f'{place}: parsing time "{value}": {name} out of range'
    return ""
