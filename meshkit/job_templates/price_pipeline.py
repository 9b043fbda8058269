"""What a template's pipeline asks of which source, and what it makes of the answers."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Final
from urllib.parse import unquote, urlsplit

from meshkit.job_templates.tasks import Tasks, references

MARKET_DATA: Final = "market-data"
_QUOTE: Final = re.compile(r"/quote/([^/]+)/([^/]+)/([^/]+)/?")
_MOST_STEPS: Final = 16


@dataclass(frozen=True, slots=True)
class Asked:
    """
    Hold one question to the aggregator.

    Attributes:
        source: The source's name in configurations; `market-data` for the value of all coins.
        base, quote: The pair in the source's own spelling.
        path: What is taken out of the answer, for example `price`.
    """

    source: str
    base: str
    quote: str
    path: str

    def __str__(self) -> str:
        return f"{self.source} {self.base}/{self.quote}"


@dataclass(frozen=True, slots=True)
class Input:
    """Hold one value of the median: a price or the quotient of two, times `scale`; None where nothing scales it."""

    numerator: Asked
    denominator: Asked | None
    scale: Decimal | None


@dataclass(frozen=True, slots=True)
class PricePipeline:
    """Hold the values of the median, and what in the pipeline was not understood."""

    inputs: tuple[Input, ...]
    oddities: tuple[str, ...] = ()

    @property
    def decimals(self) -> int | None:
        """Return the decimals of the answer, None if the values have different ones or none."""
        found = {decimals_of(each.scale) for each in self.inputs}
        return found.pop() if len(found) == 1 else None


def decimals_of(scale: Decimal | None) -> int | None:
    """Return the exponent of a power of ten, from 1 to 10^255; None of all else."""
    if scale is None or not scale.is_finite() or scale < 1:
        return None
    exponent = scale.adjusted()
    return exponent if exponent < 256 and scale == Decimal(10) ** exponent else None


class _NotUnderstood(Exception):
    pass


def read(tasks: Tasks) -> PricePipeline:
    """Return what a pipeline prices; what is not understood is said in words and left out."""
    inputs: list[Input] = []
    oddities: list[str] = []
    for end in tasks.last:
        last, scale = _median_before(tasks, end)
        kind = tasks.attributes[last].get("type", "")
        branches = tuple(_inputs_of(tasks, last, "values")) if kind == "median" else (last,)
        if kind != "median" and len(tasks.last) > 1:
            oddities.append(f"nothing comes of {last}")
            continue
        if kind != "median":
            oddities.append(f"it ends with {last}, {kind or 'no task'}, and has no median")
        for branch in branches:
            try:
                found = _input(tasks, branch)
                inputs.append(found if scale is None else replace(found, scale=scale * (found.scale or Decimal(1))))
            except _NotUnderstood as reason:
                oddities.append(f"{branch}: {reason}")
    return PricePipeline(tuple(inputs), tuple(oddities))


def _median_before(tasks: Tasks, end: str) -> tuple[str, Decimal | None]:
    """Return the median that a pipeline ends with and what its result is multiplied by; else the end itself."""
    name, scale = end, Decimal(1)
    try:
        while tasks.attributes[name].get("type") == "multiply":
            scale *= _number(tasks.attributes[name].get("times", ""))
            name = _only(tasks, name, "input")
    except (_NotUnderstood, KeyError):
        return end, None
    is_scaled = name != end and tasks.attributes[name].get("type") == "median"
    return (name, scale) if is_scaled else (end, None)


def _inputs_of(tasks: Tasks, name: str, attribute: str) -> Iterator[str]:
    """Yield the tasks that an attribute names, or else those that an arrow leads from."""
    named = references(tasks.attributes.get(name, {}).get(attribute, ""))
    yield from dict.fromkeys(named or tasks.before.get(name, []))


def _input(tasks: Tasks, name: str) -> Input:
    scale: Decimal | None = None
    for _ in range(_MOST_STEPS):
        attributes = tasks.attributes.get(name)
        if attributes is None:
            raise _NotUnderstood(f"there is no task {name}")
        kind = attributes.get("type", "")
        if kind == "multiply":
            scale = (scale or Decimal(1)) * _number(attributes.get("times", ""))
            name = _only(tasks, name, "input")
        elif kind == "divide":
            divisor = attributes.get("divisor", "")
            below = references(divisor)
            if not below:
                raise _NotUnderstood(f"{name} divides by {divisor or 'nothing'}, not by another task")
            above = references(attributes.get("input", "")) or tuple(
                each for each in tasks.before.get(name, []) if each not in below
            )
            if len(above) != 1:
                raise _NotUnderstood(f"{name} does not divide one task by one other")
            return Input(_asked(tasks, above[0]), _asked(tasks, below[0]), scale)
        elif kind == "jsonparse":
            return Input(_asked(tasks, name), None, scale)
        else:
            raise _NotUnderstood(f"{name} is {kind or 'no task'}")
    raise _NotUnderstood("its tasks lead in a circle")


def _asked(tasks: Tasks, name: str) -> Asked:
    attributes = tasks.attributes.get(name, {})
    if attributes.get("type") != "jsonparse":
        raise _NotUnderstood(f"{name} is {attributes.get('type') or 'no task'}, not jsonparse")
    request = tasks.attributes.get(_only(tasks, name, "data"), {})
    if request.get("type") != "http":
        raise _NotUnderstood(f"{name} reads no answer of an http task")
    url, path = request.get("url", ""), attributes.get("path", "")
    where = urlsplit(url).path
    if (found := _QUOTE.fullmatch(where)) is not None:
        source, base, quote = map(unquote, found.groups())
        # The one name that a path writes otherwise.
        return Asked(source.replace("exchangerate-host", "exchangeratehost"), base, quote, path)
    if where.rstrip("/") == "/market-data/global":
        return Asked(MARKET_DATA, "global", path.rpartition(",")[2] or "usd", path)
    raise _NotUnderstood(f"{url} is not /quote/SOURCE/BASE/QUOTE")


def _only(tasks: Tasks, name: str, attribute: str) -> str:
    found = tuple(_inputs_of(tasks, name, attribute))
    if len(found) != 1:
        raise _NotUnderstood(f"{name} has {len(found)} tasks before it, not one")
    return found[0]


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise _NotUnderstood(f"it multiplies by {text!r}, which is no number") from None
