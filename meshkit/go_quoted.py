"""Texts in quotes as Go prints them, where operators of nodes know the errors by them."""

import json


def quoted(text: str) -> str:
    """Return a text in quotes, what cannot be printed escaped, as `%q` does."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character in "\n\r\t\f\v\a\b":
        return {"\v": "\\v", "\a": "\\a"}.get(character) or json.dumps(character)[1:-1]
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
