"""
The tables of the node's TOML files: Go-like names for keys, Go's texts for durations, sizes and amounts of wei.

A table is a dataclass of keyword-only fields, whose annotations say how their values are read. It is no model of
pydantic's, which the rest of the mesh has for its configuration: a node would hold it, 12 MB, for two files read once.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Self, Union, get_args, get_origin, get_type_hints

from chainlink.units import parse_duration_s, parse_size, parse_wei
from services.oracle.errors import SettingInvalid

_ACRONYMS = {"api": "API", "evm": "EVM", "http": "HTTP", "id": "ID", "ip": "IP", "json": "JSON", "ocr": "OCR"}
_ACRONYMS |= {"p2p": "P2P", "ttl": "TTL", "url": "URL", "ws": "WS", "ocr2": "OCR2", "eip1559": "EIP1559"}
_UNIT = re.compile(r"_(?:s|wei|bytes)$")
# In a field's metadata: its key, where that is not made of its name.
KEY: Final = "key"
# The value itself may be a secret; where it stands and what is allowed are enough to find it.
_MISFIT: Final = "a value that does not fit"

_Read = Callable[[Any, str], Any]


@dataclass(frozen=True, slots=True)
class Secret:
    """Hold a text that no other text shows."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Rule:
    """Say how a value of TOML is read: what is allowed, in words, and the reading, ValueError if it is not."""

    allowed: str
    read: Callable[[Any], Any]


def whole(at_least: int, at_most: int | None = None) -> Rule:
    """Return the rule of a whole number within bounds, both inclusive."""

    def read(value: Any) -> int:
        if type(value) is not int or value < at_least or (at_most is not None and value > at_most):
            raise ValueError(value)
        return value

    return Rule(f"a whole number from {at_least}" + ("" if at_most is None else f" to {at_most}"), read)


def matching(pattern: str, allowed: str) -> Rule:
    """Return the rule of a text that a regular expression matches as a whole."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or re.fullmatch(pattern, value) is None:
            raise ValueError(value)
        return value

    return Rule(allowed, read)


def _measure(allowed: str, parse: Callable[[str], float], kind: type[int | float]) -> Rule:
    def read(value: Any) -> int | float:
        found = parse(value) if isinstance(value, str) else value
        if type(found) not in (int, kind) or not 0 <= found < float("inf"):
            raise ValueError(value)
        return kind(found)

    return Rule(allowed, read)


Duration = Annotated[float, _measure("a duration that is not negative, such as '1m30s'", parse_duration_s, float)]
Size = Annotated[int, _measure("a size, such as '32kb'", parse_size, int)]
Wei = Annotated[int, _measure("an amount that is not negative, such as '20 gwei'", parse_wei, int)]
Port = Annotated[int, whole(0, 65535)]
Positive = Annotated[int, whole(1)]
Natural = Annotated[int, whole(0)]


@dataclass(frozen=True, kw_only=True)
class Table:
    """
    One table of TOML, of which `said` are the fields that it names; a list without a default has at least one item.

    Keys of the real node that we have no use for are let through.
    """

    said: frozenset[str] = field(default=frozenset(), compare=False, repr=False)

    @classmethod
    def read(cls, document: Any, place: str = "") -> Self:
        """Read a table that stands at a place; SettingInvalid names the first field that is missing or not allowed."""
        if not isinstance(document, Mapping):
            raise SettingInvalid(place, _MISFIT, "a table")
        document = cls.completed(document)
        found = {}
        for name, (setting, read) in _readers(cls).items():
            key = key_of(setting)
            where = f"{place}.{key}".lstrip(".")
            if key in document:
                found[name] = read(document[key], where)
            elif setting.default is MISSING:
                raise SettingInvalid(where, "nothing", "a value")
        table = cls(**found, said=frozenset(found))
        try:
            table.check()
        except ValueError as error:
            raise SettingInvalid(place or "the table", "values that do not go together", str(error)) from error
        return table

    @classmethod
    def completed(cls, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the document with defaults that depend on what it says."""
        return document

    def check(self) -> None:
        """Raise ValueError, saying what is allowed, when values do not go together."""


def settings_of(table: type[Table]) -> tuple[Field[Any], ...]:
    """Return the fields that are read from a table."""
    return tuple(setting for setting in fields(table) if setting.name != "said")


def key_of(setting: Field[Any]) -> str:
    """Return the key that a field has in TOML."""
    key: str | None = setting.metadata.get(KEY)
    return key or "".join(_ACRONYMS.get(part, part.capitalize()) for part in _UNIT.sub("", setting.name).split("_"))


def _readers(table: type[Table]) -> Mapping[str, tuple[Field[Any], _Read]]:
    hints = get_type_hints(table, include_extras=True)
    return {
        setting.name: (setting, _reader(hints[setting.name], least=int(setting.default is MISSING)))
        for setting in settings_of(table)
    }


def _reader(kind: Any, least: int = 0) -> _Read:
    """Return what reads a value of an annotation, told where it stands; a list of at least so many."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _by_rule(arguments[1])
    if origin in (UnionType, Union):
        # A key that is given has a value: TOML has no null.
        return _reader(next(argument for argument in arguments if argument is not NoneType))
    if origin is tuple:
        return _listed(_reader(arguments[0]), least)
    if origin is Literal:
        return _by_rule(matching("|".join(map(re.escape, arguments)), ", ".join(arguments)))
    if issubclass(kind, Table):
        read: _Read = kind.read
        return read
    return _by_rule(_PLAIN[kind])


def _by_rule(rule: Rule) -> _Read:
    def read(value: Any, place: str) -> Any:
        try:
            return rule.read(value)
        except (ValueError, OverflowError) as error:
            raise SettingInvalid(place, _MISFIT, rule.allowed) from error

    return read


def _listed(read: _Read, least: int) -> _Read:
    def read_all(value: Any, place: str) -> tuple[Any, ...]:
        if not isinstance(value, Sequence) or isinstance(value, str) or len(value) < least:
            raise SettingInvalid(place, _MISFIT, f"a list of at least {least}" if least else "a list")
        return tuple(read(item, f"{place}[{index}]") for index, item in enumerate(value))

    return read_all


def _of_type(kind: type, allowed: str, make: Callable[[Any], Any] = lambda value: value) -> Rule:
    def read(value: Any) -> Any:
        if type(value) is not kind:
            raise ValueError(value)
        return make(value)

    return Rule(allowed, read)


_PLAIN: Mapping[type, Rule] = {
    bool: _of_type(bool, "true or false"),
    int: _of_type(int, "a whole number"),
    str: _of_type(str, "a text"),
    Secret: _of_type(str, "a text", Secret),
}
