"""The recursive length prefix, in which a transaction is signed and sent: appendix B of Ethereum's yellow paper."""

from collections.abc import Sequence
from typing import TypeAlias

Item: TypeAlias = "int | bytes | Sequence[Item]"

_TEXT, _LIST = 0x80, 0xC0
_LONGEST_SHORT = 55


def encode(item: Item) -> bytes:
    """Encode bytes, a number that is not negative, or a list of such items; OverflowError for a negative number."""
    if isinstance(item, int):
        item = _shortest(item)
    if isinstance(item, bytes):
        return item if len(item) == 1 and item[0] < _TEXT else _prefix(_TEXT, len(item)) + item
    content = b"".join(map(encode, item))
    return _prefix(_LIST, len(content)) + content


def _prefix(kind: int, length: int) -> bytes:
    if length <= _LONGEST_SHORT:
        return bytes((kind + length,))
    size = _shortest(length)
    return bytes((kind + _LONGEST_SHORT + len(size),)) + size


def _shortest(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")
