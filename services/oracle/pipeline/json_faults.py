"""What is wrong with a text that is no JSON, in the words of Go's decoder, which operators of nodes know."""

import json

_SPACE = " \t\r\n"
_LITERALS = {"t": "true", "f": "false", "n": "null"}
_ESCAPES = '"\\/bfnrtu'
_HEX = frozenset("0123456789abcdefABCDEF")
_DIGITS = frozenset("0123456789")
_DEEPEST = 10_000


class _Fault(ValueError):
    """Tell where reading stopped: at the end of the text, or at a character that does not belong there."""


def fault(text: str) -> str:
    """Return why the first JSON value of a text cannot be read."""
    if not text.strip(_SPACE):
        return "EOF"
    try:
        _Scanner(text).scan()
    except _Fault as found:
        return str(found)
    return "exceeded max depth"


def check(text: str) -> None:
    """Read the first JSON value of a text, however it goes on; ValueError if it is none."""
    _Scanner(text).scan()


class _Scanner:
    """Read one value without keeping it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def scan(self) -> None:
        """Go through the value; what is open around it is kept as closing brackets."""
        open_brackets: list[str] = []
        self._begin(open_brackets)
        while open_brackets:
            if len(open_brackets) > _DEEPEST:
                raise _Fault("exceeded max depth")
            closing = open_brackets[-1]
            found = self._after_space()
            if found == closing:
                self._at += 1
                open_brackets.pop()
                continue
            if found != ",":
                raise self._wrong("after object key:value pair" if closing == "}" else "after array element")
            self._at += 1
            if closing == "}":
                self._key()
            self._begin(open_brackets)

    def _begin(self, open_brackets: list[str]) -> None:
        """Read a value, or the beginnings of those that are its first parts."""
        while True:
            found = self._after_space()
            if found not in ("{", "["):
                self._scalar(found)
                return
            self._at += 1
            closing = "}" if found == "{" else "]"
            if self._after_space() == closing:
                self._at += 1
                return
            if closing == "}":
                self._key()
            open_brackets.append(closing)
            if len(open_brackets) > _DEEPEST:
                raise _Fault("exceeded max depth")

    def _key(self) -> None:
        if self._after_space() != '"':
            raise self._wrong("looking for beginning of object key string")
        self._string()
        if self._after_space() != ":":
            raise self._wrong("after object key")
        self._at += 1

    def _scalar(self, first: str) -> None:
        if first == '"':
            self._string()
        elif first in _LITERALS:
            word = _LITERALS[first]
            for i, letter in enumerate(word):
                if self._here() != letter:
                    raise self._wrong(f"in literal {word} (expecting '{word[i]}')")
                self._at += 1
        elif first == "-" or first in _DIGITS:
            self._number()
        else:
            raise self._wrong("looking for beginning of value")

    def _number(self) -> None:
        if self._here() == "-":
            self._at += 1
        if self._here() == "0":
            self._at += 1
        else:
            self._digits("in numeric literal")
        if self._peek() == ".":
            self._at += 1
            self._digits("after decimal point in numeric literal")
        if self._peek() in ("e", "E"):
            self._at += 1
            if self._peek() in ("+", "-"):
                self._at += 1
            self._digits("in exponent of numeric literal")

    def _digits(self, where: str) -> None:
        if self._here() not in _DIGITS:
            raise self._wrong(where)
        while self._peek() in _DIGITS:
            self._at += 1

    def _string(self) -> None:
        self._at += 1
        while (found := self._here()) != '"':
            if ord(found) < 0x20:
                raise self._wrong("in string literal")
            self._at += 1
            if found == "\\":
                self._escape()
        self._at += 1

    def _escape(self) -> None:
        found = self._here()
        if found not in _ESCAPES:
            raise self._wrong("in string escape code")
        self._at += 1
        for _ in range(4 if found == "u" else 0):
            if self._here() not in _HEX:
                raise self._wrong("in \\u hexadecimal character escape")
            self._at += 1

    def _after_space(self) -> str:
        while self._peek() and self._peek() in _SPACE:
            self._at += 1
        return self._here()

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _here(self) -> str:
        if not self._peek():
            raise _Fault("unexpected EOF")
        return self._peek()

    def _wrong(self, where: str) -> _Fault:
        return _Fault(f"invalid character {_quoted(self._here())} {where}")


def _quoted(character: str) -> str:
    if character == "'":
        return r"'\''"
    if character == '"':
        return "'\"'"
    # Go reads bytes: of a longer character it names the first.
    first = chr(character.encode("utf-8", "replace")[0])
    return f"'{json.dumps(first, ensure_ascii=False)[1:-1]}'"
