"""What a field of the configuration may be, and what is there instead, in words."""

import json
import re
import types
import typing
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from meshkit.configuration.faults.problem import Place, Problem

_SECRET_NAMES: Final = (
    "password",
    "secret",
    "apikey",
    "privatekey",
    "token",
    "auth",
    "credential",
    "headers",
    "signature",
)
_PUBLIC_NAMES: Final = ("spsecretsdir",)
_SHOWN: Final = 2
_SIMPLE: Final[dict[Any, str]] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    SecretStr: "text",
    Path: "a path",
}


@dataclass(frozen=True, slots=True)
class Words:
    """Say in an annotation what its pattern means."""

    text: str


@dataclass(frozen=True, slots=True)
class _Bounds:
    least: Any = None
    more_than: Any = None
    most: Any = None
    less_than: Any = None
    shortest: int | None = None
    longest: int | None = None
    words: str = ""


def problems_of(model: type[BaseModel], faults: Iterable[Any], document: Any) -> Iterator[Problem]:
    """
    Yield what a validation found wrong, once for each place.

    Args:
        model: What the document was to be.
        faults: What pydantic says: types and places.
        document: The JSON that was validated.
    """
    seen: set[Place] = set()
    for fault in faults:
        place, field, kind = _look(model, fault["loc"])
        if place in seen:
            continue
        seen.add(place)
        if fault["type"] == "extra_forbidden":
            yield Problem(place, "an unknown key", _nearest(str(place[-1]), kind))
        elif fault["type"] == "missing":
            yield Problem(place, "nothing", allowed(field, kind))
        elif fault["type"] == "value_error" and not _has_words(field, kind):
            # Of a check of ours, which says it itself.
            said = fault["msg"].removeprefix("Value error, ")
            own = re.fullmatch("found (.+), allowed: (.+)", said)
            if own is not None:
                yield Problem(place, own[1], own[2])
            else:
                yield Problem(place, found(_at(document, place), place, kind), said)
        elif fault["loc"][-1:] == ("[key]",):
            yield Problem(place, f"the key {json.dumps(place[-1], ensure_ascii=False)}", allowed(None, kind))
        else:
            yield Problem(place, found(_at(document, place), place, kind), allowed(field, kind))


def _has_words(field: FieldInfo | None, annotation: Any) -> bool:
    metadata = [] if field is None else field.metadata
    return any(isinstance(each, Words) for each in (*metadata, *_metadata_in(annotation)))


def _metadata_in(annotation: Any) -> Iterator[Any]:
    yield from getattr(annotation, "__metadata__", ())
    for argument in get_args(annotation):
        yield from _metadata_in(argument)


def allowed(field: FieldInfo | None, annotation: Any) -> str:
    """Return what a field may be: `a whole number from 1 to 65535`."""
    metadata = [] if field is None else field.metadata
    return _allowed(annotation if field is None or annotation is not None else field.annotation, metadata)


def found(value: Any, place: Place, annotation: Any = None) -> str:
    """Return a value as an error may show it: nothing of secrets, of other texts the first and the last letters."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str() if _is_secret(place, annotation):
            return f"a text of {len(value)} characters (hidden)"
        case int() | float() if _is_secret(place, annotation):
            return "a number (hidden)"
        case str():
            return json.dumps(shortened(value), ensure_ascii=False)
        case dict():
            return "an object"
        case list():
            return f"a list of {len(value)}"
        case _:
            return str(value)


def shortened(text: str) -> str:
    """Return the first and the last two letters of a text; one of few letters as it is."""
    return text if len(text) <= 2 * _SHOWN + 1 else f"{text[:_SHOWN]}…{text[-_SHOWN:]}"


def _is_secret(place: Place, annotation: Any) -> bool:
    if _contains(annotation, SecretStr):
        return True
    names = [part.lower() for part in place if isinstance(part, str)]
    return any(secret in name for name in names if name not in _PUBLIC_NAMES for secret in _SECRET_NAMES)


def _contains(annotation: Any, wanted: Any) -> bool:
    return annotation is wanted or any(_contains(argument, wanted) for argument in get_args(annotation))


def _allowed(annotation: Any, metadata: Iterable[Any]) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is typing.Annotated:
        return _allowed(arguments[0], [*arguments[1:], *metadata])
    bounds = _bounds(metadata)
    if bounds.words:
        return bounds.words
    if origin is typing.Literal:
        return f"one of {', '.join(map(str, arguments))}" if len(arguments) > 1 else str(arguments[0])
    if origin in (types.UnionType, typing.Union):
        return " or ".join(_allowed(each, metadata) for each in arguments if each is not type(None))
    if origin is dict:
        return f"an object; for each key, {_allowed(arguments[1], ())}"
    if origin is tuple:
        if Ellipsis in arguments:
            return f"a list; for each entry, {_allowed(arguments[0], ())}"
        return f"a list of {len(arguments)}: {', '.join(_allowed(each, ()) for each in arguments)}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        keys = [str(field.alias) for field in annotation.model_fields.values()]
        return f"an object with the keys {', '.join(keys)}" if len(keys) <= 6 else "an object"
    return _with_bounds(_SIMPLE.get(annotation, "a value"), bounds)


def _bounds(metadata: Iterable[Any]) -> _Bounds:
    rules = list(metadata)

    def first(*names: str) -> Any:
        found = [getattr(rule, name, None) for name in names for rule in rules]
        return next((value for value in found if value is not None), None)

    words = next((rule.text for rule in rules if isinstance(rule, Words)), "")
    return _Bounds(
        first("ge"), first("gt"), first("le"), first("lt"), first("min_length"), first("max_length"), words=words
    )


def _with_bounds(noun: str, bounds: _Bounds) -> str:
    if noun == "text":
        match bounds.shortest, bounds.longest:
            case None, None:
                return noun
            case 1, None:
                return "text that is not empty"
            case shortest, None:
                return f"text of at least {shortest} characters"
            case None, longest:
                return f"text of at most {longest} characters"
            case shortest, longest:
                return f"text of {shortest} to {longest} characters"
    if bounds.least is not None and bounds.most is not None:
        return f"{noun} from {bounds.least} to {bounds.most}"
    limits = [
        (bounds.least, "of at least"),
        (bounds.more_than, "above"),
        (bounds.most, "of at most"),
        (bounds.less_than, "below"),
    ]
    return " ".join([noun, " and ".join(f"{words} {value}" for value, words in limits if value is not None)]).strip()


def _look(model: type[BaseModel], location: Iterable[str | int]) -> tuple[Place, FieldInfo | None, Any]:
    """
    Return the place in the document that a validation means, the field there and what it may be.

    The names that a validation gives to the alternatives of a type are no part of the place.
    """
    place: list[str | int] = []
    field: FieldInfo | None = None
    annotation: Any = model
    parts = tuple(location)
    names_key = parts[-1:] == ("[key]",)
    for part in parts[:-1] if names_key else parts:
        section = _section(annotation)
        if section is not None:
            field = next((each for each in section.model_fields.values() if each.alias == part), None)
            place.append(part)
            if field is None:
                return tuple(place), None, section
            annotation = field.annotation
            continue
        container = _container(annotation)
        if container is None:
            break
        place.append(part)
        field, arguments = None, get_args(container)
        # What is wrong may be the key of an entry, and not its value.
        annotation = arguments[0] if get_origin(container) is tuple or names_key else arguments[1]
    return tuple(place), field, annotation


def _section(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (types.UnionType, typing.Union, typing.Annotated):
        return next((found for each in get_args(annotation) if (found := _section(each))), None)
    return None


def _container(annotation: Any) -> Any:
    if get_origin(annotation) in (dict, tuple):
        return annotation
    if get_origin(annotation) in (types.UnionType, typing.Union, typing.Annotated):
        return next((found for each in get_args(annotation) if (found := _container(each)) is not None), None)
    return None


def _at(document: Any, place: Place) -> Any:
    for part in place:
        try:
            document = document[part]
        except (KeyError, IndexError, TypeError):
            return None
    return document


def _nearest(name: str, section: Any) -> str:
    import difflib

    names = [str(field.alias) for field in section.model_fields.values()]
    nearest = difflib.get_close_matches(name, names, n=1)
    return f"a known key; did you mean {nearest[0]!r}?" if nearest else f"one of {', '.join(names)}"
