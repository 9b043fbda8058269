"""The tasks of a pipeline and what leads from one to the other, as far as a template's price needs them."""

import itertools
import re
from dataclasses import dataclass, field
from typing import Final

_TOKEN: Final = re.compile(
    r"""
    (?P<skip>\s+|//[^\n]*|\#[^\n]*|/\*[\s\S]*?\*/)
    | (?P<arrow>->)
    | (?P<mark>[\[\]{}=,;])
    | "(?P<text>(?:[^"\\]|\\[\s\S])*)"
    | <(?P<html>[^<>]*(?:<[^<>]*>[^<>]*)*)>
    | (?P<word>[^\s\[\]{}=,;"<>]+?(?=\s|[\[\]{}=,;"<>]|->|$))
    """,
    re.VERBOSE,
)
_REFERENCE: Final = re.compile(r"\$\(\s*([^\s.)]+)[^)]*\)")


class NotDot(ValueError):
    """A text is no list of tasks and arrows."""


@dataclass(frozen=True, slots=True)
class Tasks:
    """
    Hold the tasks of a pipeline.

    Attributes:
        attributes: Each task's attributes by name in lower case, in the order of the text.
        before: The tasks that an arrow leads from to each.
    """

    attributes: dict[str, dict[str, str]] = field(default_factory=dict)
    before: dict[str, list[str]] = field(default_factory=dict)

    @property
    def last(self) -> tuple[str, ...]:
        """Return the tasks that nothing comes after."""
        earlier = {name for names in self.before.values() for name in names}
        earlier |= {name for each in self.attributes.values() for text in each.values() for name in references(text)}
        return tuple(name for name in self.attributes if name not in earlier)


def references(text: str) -> tuple[str, ...]:
    """Return the tasks whose results an attribute asks for: of `$(a), $(b)` a and b."""
    return tuple(_REFERENCE.findall(text))


def read(text: str) -> Tasks:
    """Read a pipeline. Raises NotDot, which says near what."""
    tasks, tokens = Tasks(), _tokens(text)
    at = 0
    while at < len(tokens):
        kind, value = tokens[at]
        if (kind, value) == ("mark", ";"):
            at += 1
            continue
        names, at = _end(tokens, at)
        chain = [names]
        while at < len(tokens) and tokens[at][0] == "arrow":
            names, at = _end(tokens, at + 1)
            chain.append(names)
        given: dict[str, str] = {}
        if at < len(tokens) and tokens[at] == ("mark", "["):
            given, at = _attributes(tokens, at + 1)
        for names in chain:
            for name in names:
                tasks.attributes.setdefault(name, {})
        if len(chain) == 1:
            for name in chain[0]:
                tasks.attributes[name].update(given)
        for earlier, later in itertools.pairwise(chain):
            for name in later:
                tasks.before.setdefault(name, []).extend(earlier)
    return tasks


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise NotDot(f"{text[at : at + 20]!r}")
        kind = match.lastgroup or ""
        if kind == "text":
            found.append(("text", re.sub(r"\\([\s\S])", r"\1", match["text"])))
        elif kind != "skip":
            found.append((kind, match[kind]))
        at = match.end()
    return found


def _end(tokens: list[tuple[str, str]], at: int) -> tuple[list[str], int]:
    """Return the tasks at one end of an arrow, a name or several in braces, and where that ends."""
    if at < len(tokens) and tokens[at] == ("mark", "{"):
        names: list[str] = []
        at += 1
        while at < len(tokens) and tokens[at] != ("mark", "}"):
            if tokens[at][0] in ("word", "text"):
                names.append(tokens[at][1])
            at += 1
        return names, at + 1
    if at >= len(tokens) or tokens[at][0] not in ("word", "text"):
        raise NotDot(repr(tokens[at][1]) if at < len(tokens) else "its end")
    return [tokens[at][1]], at + 1


def _attributes(tokens: list[tuple[str, str]], at: int) -> tuple[dict[str, str], int]:
    given: dict[str, str] = {}
    while at < len(tokens) and tokens[at] != ("mark", "]"):
        kind, name = tokens[at]
        if (kind, name) in (("mark", ","), ("mark", ";")):
            at += 1
            continue
        if kind not in ("word", "text") or tokens[at + 1 : at + 2] != [("mark", "=")] or at + 2 >= len(tokens):
            raise NotDot(repr(name))
        given[name.lower()] = tokens[at + 2][1]
        at += 3
    if at >= len(tokens):
        raise NotDot("attributes without an end")
    return given, at + 1
