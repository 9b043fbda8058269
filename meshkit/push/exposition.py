"""
Pages in the Prometheus text format, line by line: labels added, samples counted, pages cut, series taken out.

Made for pages that others wrote, thousands of lines every few seconds; prometheus_client's parser makes objects of each
line, which costs ten times as much. Source: the Prometheus project's exposition format, version 0.0.4.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

# `(@` begins what is taken out of a line. Nothing is tried twice (`*+`): that takes less than half of the time.
_PATTERN: Final = (
    rb"[ \t]*+(@[a-zA-Z_:][a-zA-Z0-9_:]*+)[ \t]*+"
    rb'(?:\{(@(?:[ \t]*+[a-zA-Z_][a-zA-Z0-9_]*+[ \t]*+=[ \t]*+"(?:[^"\\\n]++|\\.)*+"[ \t]*+,?+)*+)[ \t]*+\})?+'
    rb"[ \t]*+(@[+-]?+(?:(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)(?:[eE][+-]?+[0-9]++)?+|Inf)|NaN)"
    rb"(?:[ \t]++(@-?+[0-9]++))?+[ \t]*+\r?+"
)
_SAMPLE: Final = re.compile(_PATTERN.replace(b"(@", b"("))
_SAMPLES: Final = re.compile(b"^" + _PATTERN.replace(b"(@", b"(?:") + b"$", re.MULTILINE)
# The same beginnings of lines, for a whole page at once: a name with labels, and one without.
_WITH_LABELS: Final = re.compile(rb"^[ \t]*([a-zA-Z_:][a-zA-Z0-9_:]*+)[ \t]*+\{[ \t]*+(?![}\s])", re.MULTILINE)
_WITHOUT: Final = re.compile(
    rb"^[ \t]*([a-zA-Z_:][a-zA-Z0-9_:]*+)[ \t]*+(?:\{[ \t]*\})?+[ \t]*+(?=[^{\s])", re.MULTILINE
)
_LABEL: Final = re.compile(rb'([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"((?:[^"\\]|\\.)*)"')
_ESCAPED: Final = re.compile(r"\\(.)")
_PLAIN: Final = {"n": "\n"}

Labels: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Series:
    """Hold one sample: its labels sorted by name, __name__ among them and none empty, its value and its own time."""

    labels: Labels
    value: float
    time_ms: int | None


def readable(page: bytes) -> tuple[bytes, int]:
    """Return a page without the lines that are no samples, and how many those were; comments and empty lines stay."""
    if len(_SAMPLES.findall(page)) == count(page):
        return page, 0
    kept, left_out = [], 0
    for line in page.split(b"\n"):
        if not line.strip() or line.startswith(b"#") or _SAMPLE.fullmatch(line):
            kept.append(line)
        else:
            left_out += 1
    return b"\n".join(kept), left_out


def labelled(page: bytes, labels: Mapping[str, str]) -> bytes:
    """Return a page with these labels on every sample; a sample's own label stands. What is no sample stays as is."""
    added = {name.encode(): f'{name}="{escaped(value)}"'.encode() for name, value in labels.items()}
    if not added:
        return page
    ours = b",".join(added.values())
    if not may_have(page, labels):
        # A half of the time of looking at each line.
        template = ours.replace(b"\\", b"\\\\")
        page = _WITH_LABELS.sub(rb"\1{" + template + b",", page)
        return _WITHOUT.sub(rb"\1{" + template + b"} ", page)
    lines = []
    for line in page.split(b"\n"):
        sample = None if line.startswith(b"#") else _SAMPLE.fullmatch(line)
        if sample is None:
            lines.append(line)
            continue
        name, own = sample[1], (sample[2] or b"").strip(b", \t")
        inner = ours
        if own:
            names = {found[0] for found in _LABEL.findall(own)}
            inner = b",".join((*(text for label, text in added.items() if label not in names), own))
        lines.append(b"%s{%s} %s" % (name, inner, line[sample.start(3) :]))
    return b"\n".join(lines)


def may_have(page: bytes, names: Iterable[str]) -> bool:
    """Tell whether samples of a page may have one of these labels themselves; never no for one that has."""
    known = [name.encode() for name in names]
    return any(start + name + end in page for name in known for start in (b"{", b",", b" ") for end in (b"=", b" "))


def escaped(value: str) -> str:
    """Return a label's value as it stands between the quotation marks."""
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def allowed(names: Iterable[str]) -> re.Pattern[bytes]:
    """Return what fits the beginning of a line of one of these metrics; `*` at the end stands for any ending."""
    said = "|".join(
        f"{re.escape(name[:-1])}[a-zA-Z0-9_:]*" if name.endswith("*") else f"{re.escape(name)}(?:_bucket|_sum|_count)?"
        for name in names
    )
    return re.compile(rf"[ \t]*(?:#[ \t]*(?:HELP|TYPE)[ \t]+)?(?:{said or '(?!)'})(?=[ \t{{]|$)".encode())


def only(page: bytes, wanted: re.Pattern[bytes], most: int) -> tuple[bytes, int]:
    """Return the samples of metrics that are wanted, at most so many, and how many others the page has."""
    kept, samples, others = [], 0, 0
    for line in page.split(b"\n"):
        is_sample = bool(line.strip()) and not line.startswith(b"#")
        if wanted.match(line) is None or (is_sample and samples >= most):
            others += is_sample
            continue
        samples += is_sample
        kept.append(line)
    return b"\n".join([*kept, b""]), others


def count(page: bytes) -> int:
    """Return how many samples a page has."""
    return sum(bool(line.strip()) and not line.startswith(b"#") for line in page.split(b"\n"))


def by_name(page: bytes, *, without: Mapping[str, str]) -> Counter[str]:
    """Count a page's samples by metric, but for those that have one of these labels themselves, with another value."""
    found: Counter[str] = Counter()
    for each in series(page):
        own = dict(each.labels)
        if all(own.get(name, value) == value for name, value in without.items()):
            found[own["__name__"]] += 1
    return found


def series(page: bytes, labels: Mapping[str, str] | None = None) -> Iterator[Series]:
    """Yield the samples of a page, with these labels too where they lack them; what is no sample is left out."""
    given = labels or {}
    for line in page.split(b"\n"):
        sample = None if line.startswith(b"#") else _SAMPLE.fullmatch(line)
        if sample is None:
            continue
        own = {name.decode(): _unescaped(text) for name, text in _LABEL.findall(sample[2])} if sample[2] else {}
        merged = {**given, **own, "__name__": sample[1].decode()}
        yield Series(
            tuple(sorted((name, text) for name, text in merged.items() if text)),
            float(sample[3]),
            int(sample[4]) if sample[4] else None,
        )


def parts(page: bytes, most: int | None) -> Iterator[bytes]:
    """Yield a page in parts of so many samples, each with what is said of its own metrics before them."""
    if most is None:
        yield page
        return
    said: list[bytes] = []
    lines: list[bytes] = []
    held = 0
    begins = True
    for line in page.splitlines(keepends=True):
        if line.startswith(b"#"):
            # The first words on a metric end those on the one before.
            said = [*([] if begins else said), line]
            begins = False
            lines.append(line)
            continue
        if held == most:
            yield b"".join(lines)
            lines, held = list(said), 0
        lines.append(line)
        held += 1
        begins = True
    if lines:
        yield b"".join(lines)


def _unescaped(text: bytes) -> str:
    value = text.decode(errors="replace")
    return _ESCAPED.sub(lambda found: _PLAIN.get(found[1], found[1]), value) if "\\" in value else value
