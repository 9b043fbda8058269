"""Where a job's text is no TOML, in the words of the node's reader; and where its keys are."""

import re
from collections.abc import Iterator

from services.oracle.jobs.reading.toml_table_and_number_faults import number_fault, table_fault

_POSITION = re.compile(
    r"(?P<what>.*) \(at (?:line (?P<line>[0-9]+), column (?P<column>[0-9]+)|end of document)\)", re.DOTALL
)
_KEY = re.compile(r"""[ \t]*(?P<key>[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')[ \t]*=""")
_PART = re.compile(
    r'''"""(?:[^"\\]|\\.|"(?!""))*+"{3,5}|\'\'\'(?:[^\']|\'(?!\'\'))*+\'{3,5}|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*'|'''
    r"""\#[^\n]*|(?P<mark>[\[\]{}\n])|[^"'\#\[\]{}\n]+|.""",
    re.DOTALL,
)
_QUOTES = re.compile(r"""\"{3}|'{3}|["']""")
# The least that a text in three quotes has.
_LONG = 6
_WORD = re.compile(r"[^\s=]+")
_OPEN_TABLE = "Expected ']' at the end of a table declaration"
_UNFINISHED = {
    "Unclosed array": "unterminated array",
    "Unclosed inline table": "unterminated inline table",
}


def position(text: str, key: str) -> tuple[int, int]:
    """Return line and column, from 1, of a key of the document's own table; (1, 1) if it is not there."""
    return next((place for found, place in _keys(text) if found == key), (1, 1))


def syntax_fault(text: str, error: str) -> str:
    """Return `(line, column): what` for an error of Python's reader of TOML."""
    found = _POSITION.fullmatch(error)
    if found is None:
        return error
    what = found["what"]
    lines = text.split("\n")
    if found["line"] is None:
        return _at_end(text, what, (len(lines), len(lines[-1]) + 1))
    line, column = int(found["line"]), int(found["column"])
    content = lines[line - 1]
    here = content[column - 1 : column]
    if fault := table_fault(what, content, line, column):
        return fault
    if what.startswith("Expected '=' after a key"):
        return _after_key(lines, line, column)
    if what == "Invalid statement":
        wrong = f"unexpected token {here}" if here == "=" else f"parsing error: keys cannot contain {here} character"
        return f"({line}, {column}): {wrong}"
    if what == "Invalid value":
        return _no_value(text, lines, line, column)
    if what.startswith("Expected newline or end of document"):
        if fault := number_fault(content, line):
            return fault
        kinds = {",": "unexpected token ,", '"': "unexpected token string", "'": "unexpected token string"}
        wrong = "unexpected token Integer" if here.isdigit() else kinds.get(here, "")
        return f"({line}, {column}): {wrong or f'parsing error: no value can start with {here}'}"
    if what.startswith("Illegal character"):
        illegal = here or "\n"
        return f"{_string_start(lines, line, column)}: unescaped control character U+{ord(illegal):04X}"
    if what.startswith("Unescaped '\\'"):
        backslash = lines[line - 1].rfind("\\", 0, column)
        return f"{_string_start(lines, line, column)}: invalid escape sequence: {lines[line - 1][backslash:][:2]}"
    if what == "Invalid hex value":
        return f"{_string_start(lines, line, column)}: unfinished unicode escape"
    if what == "Cannot overwrite a value":
        return _twice(text) or f"({line}, {column}): {what}"
    if what.startswith(_OPEN_TABLE) and not here:
        return _open_table(lines[line - 1], line)
    return f"({line}, {column}): {'missing comma' if what == 'Unclosed array' else what}"


def open_string(text: str) -> str:
    """Return where a text in quotes begins that does not end."""
    at, quote = _open_quote(text)
    line_start = text.rfind("\n", 0, at) + 1
    if not text[line_start:at].strip():
        return f"({text.count(chr(10), 0, at) + 1}, {at - line_start + 1}): parsing error: unclosed string"
    at += len(quote)
    if len(quote) > 1 and text.startswith("\n", at):
        at += 1
    place = f"({text.count(chr(10), 0, at) + 1}, {at - text.rfind(chr(10), 0, at)})"
    goes_on = quote == '"' and "\n" in text[at:]
    return f"{place}: {'unescaped control character U+000A' if goes_on else 'unclosed string'}"


def _open_quote(text: str) -> tuple[int, str]:
    """Return where the quotes stand that nothing closes, and these quotes."""
    at = 0
    while (part := _PART.match(text, at)) is not None:
        quote = _QUOTES.match(text, at)
        if quote is not None and (len(part[0]) == 1 or (len(quote[0]) > 1 and len(part[0]) < _LONG)):
            return at, quote[0]
        at = part.end()
    return at, '"'


def _at_end(text: str, what: str, end: tuple[int, int]) -> str:
    line, column = end
    if what.startswith("Expected '=' after a key"):
        return f"({line}, {column}): was expecting token =, but got EOF instead"
    if what == "Invalid value":
        return f"({line}, {column}): expecting a value"
    if what == "Cannot overwrite a value":
        return _twice(text) or f"({line}, {column}): {what}"
    if what.startswith(_OPEN_TABLE):
        return _open_table(text.split("\n")[-1], line)
    return f"({line}, {column}): {_UNFINISHED.get(what, what)}"


def _open_table(content: str, line: int) -> str:
    return f"({line}, {content.find('[') + 2}): unexpected token unclosed table key, was expecting a table key"


def _after_key(lines: list[str], line: int, column: int) -> str:
    content = lines[line - 1]
    start = len(content) - len(content.lstrip()) + 1
    key_end = start - 1 + len(str(_WORD.match(content, start - 1)[0]))  # type: ignore[index] # a key stands there
    here = content[column - 1 : column]
    if not here:
        if column - 1 == key_end:
            return f"({line}, {start}): parsing error: keys cannot contain new lines"
        return f"({line}, {column}): was expecting token =, but got keys cannot contain new lines instead"
    if column - 1 < key_end:
        return f"({line}, {start}): parsing error: keys cannot contain {here} character"
    word = str(_WORD.match(content, column - 1)[0])  # type: ignore[index] # something stands there
    is_last = not content[column - 1 + len(word) :].strip() and line < len(lines)
    found = "keys cannot contain new lines" if is_last else f'"{word}"'
    return f"({line}, {column}): was expecting token =, but got {found} instead"


def _no_value(text: str, lines: list[str], line: int, column: int) -> str:
    here = lines[line - 1][column - 1 : column]
    if not here:
        rest = "\n".join(lines[line:])
        if not rest.strip():
            return f"({len(lines)}, {len(lines[-1]) + 1}): expecting a value"
        following = _WORD.search(rest)
        return f'unhandled token: "{following[0] if following else ""}"'
    if here in "]}":
        return f'unhandled token: "{here}"'
    wrong = {
        ".": "cannot start float with a dot",
        "=": "cannot have multiple equals for the same key",
        "+": "no digit in that number",
        "-": "no digit in that number",
    }
    return f"({line}, {column}): {wrong.get(here, f'no value can start with {here}')}"


def _string_start(lines: list[str], line: int, column: int) -> tuple[int, int]:
    content = lines[line - 1]
    opening = content.rfind('"', 0, max(column - 1, 0))
    return line, opening + 2


def _twice(text: str) -> str:
    seen = set()
    for key, place in _keys(text):
        if key in seen:
            return f"{place}: The following key was defined twice: {key}"
        seen.add(key)
    return ""


def _keys(text: str) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield the keys of the first table with their places."""
    at = depth = 0
    begins = True
    while at < len(text):
        if begins and depth == 0:
            if text.startswith("[", at):
                return
            if key := _KEY.match(text, at):
                start = key.start("key")
                place = text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start)
                yield key["key"].strip("\"'"), place
                at, begins = key.end(), False
                continue
        part = _PART.match(text, at)
        if part is None:
            return
        begins = part["mark"] == "\n" and depth == 0
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(part["mark"] or "", 0)
        at = part.end()
