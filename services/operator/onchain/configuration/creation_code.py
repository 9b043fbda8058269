"""The creation code of a contract that is not ours, read from a file of its compiler or of a library's bindings."""

import re
from pathlib import Path
from typing import Any

import orjson

from services.operator.errors import UnreadableCode

_HEX = re.compile(r"(?:0x)?((?:[0-9a-fA-F]{2})+)")


def read(path: Path) -> bytes:
    """
    Return the creation code in a file: hexadecimal digits, or a compiler's JSON with them under `bytecode`.

    Raises:
        UnreadableCode: when there is no such file, or no code in it, or code that is not linked.
    """
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableCode(path, str(error)) from error
    if text.startswith("{"):
        text = _in_json(path, text)
    match = _HEX.fullmatch(text)
    if match is None:
        raise UnreadableCode(path, "found no hexadecimal creation code, or one with libraries that are not linked")
    return bytes.fromhex(match[1])


def _in_json(path: Path, text: str) -> str:
    try:
        document: Any = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise UnreadableCode(path, str(error)) from error
    found = document.get("bytecode")
    if isinstance(found, dict):
        found = found.get("object")
    return found if isinstance(found, str) else ""
