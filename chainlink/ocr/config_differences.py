"""In what two configurations differ, in words that name the field and say what stands on either side."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Protocol

_ORACLE_LISTS = ("signers", "transmitters", "offchain_public_keys", "peer_ids")


class Configuration(Protocol):
    """A configuration of OCR1 or OCR2: a dataclass, as are its parts."""

    @property
    def n(self) -> int:
        """Return the number of oracles."""


def config_differences(found: Configuration, ours: Configuration, *, other: str = "ours") -> tuple[str, ...]:
    """
    Return in what a configuration differs from another one, which is called `other`; nothing if it does not.

    The shared secret is no part of it. Of lists it is told whether one has other members, another order or doubles.
    """
    return tuple(_differences(found, ours, other))


def _differences(found: Configuration, ours: Configuration, other: str) -> Iterator[str]:
    if found.n != ours.n:
        yield f"n is {found.n}, {other} {ours.n}"
    names = _names(found)
    # What is said of single values comes before what is said of lists.
    for name in sorted(names, key=lambda name: (is_dataclass(getattr(found, name)), name in _ORACLE_LISTS)):
        yield from _of_field(name, getattr(found, name), getattr(ours, name), other)


def _of_field(name: str, found: Any, ours: Any, other: str) -> Iterator[str]:
    if name in _ORACLE_LISTS:
        yield from _of_list(name, found, ours, other)
    elif is_dataclass(found):
        for inner in _names(found):
            yield from _of_field(inner, getattr(found, inner), getattr(ours, inner), other)
    else:
        yield from _of_value(name, found, ours, other)


def _names(configuration: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(configuration))


def _of_value(name: str, found: object, ours: object, other: str) -> Iterator[str]:
    if found != ours:
        yield f"{name} is {found}, {other} {ours}"


def _of_list(name: str, found: Sequence[object], ours: Sequence[object], other: str) -> Iterator[str]:
    if found == ours:
        return
    doubles = [each for each, count in Counter(found).items() if count > 1]
    if doubles:
        yield f"{name} has {len(doubles)} more than once: {', '.join(map(_shown, doubles))}"
    if Counter(found) == Counter(ours):
        yield f"{name} are in another order than {other}"
        return
    strange = [_shown(each) for each in dict.fromkeys(found) if each not in ours]
    missing = [_shown(each) for each in dict.fromkeys(ours) if each not in found]
    if strange:
        yield f"{name} has {', '.join(strange)}, which {other} has not"
    if missing:
        yield f"{name} lacks {', '.join(missing)}"


def _shown(member: object) -> str:
    return member.hex() if isinstance(member, bytes) else str(member)
