"""
The configuration as a digest for each key, so that two configurations can be compared without their secrets at hand.

A key is written as in the file, `solution.mesh.ports.metrics`; a key within an object of names has the name, and a list
is one value. What files hold that the configuration names counts as a part of it: the template and the address of each
feed stand below the key that names the directory or file, by the feed's name.
"""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, SecretStr

from meshkit.configuration.feeds.served_feeds import ServedFeed
from meshkit.configuration.solution import Configuration
from services.supervisor.plan.mesh_plan import TEMPLATES

_ADDRESSES: Final = "solution.mesh.contracts.addressesFile"


def digests(configuration: Configuration, served: Iterable[ServedFeed] = ()) -> dict[str, str]:
    """Return the digest of every value, those that the file leaves to their defaults included, and of served feeds."""
    given = configuration.solution.mesh.contracts.addresses
    values = [*_values(configuration, ""), *_feeds(served, given)]
    return {key: hashlib.sha256(text.encode()).hexdigest()[:16] for key, text in values}


def _feeds(served: Iterable[ServedFeed], given: Iterable[str]) -> Iterator[tuple[str, str]]:
    for feed in served:
        if feed.template is not None:
            yield f"{TEMPLATES}.{feed.name}", feed.template.digest
        if feed.address is not None and feed.name not in given:
            yield f"{_ADDRESSES}.{feed.name}", feed.address


def _values(section: BaseModel, place: str) -> Iterator[tuple[str, str]]:
    for name, field in type(section).model_fields.items():
        value = section.__dict__[name]
        key = f"{place}.{field.alias}".lstrip(".")
        if value is None:
            # null and absent are not the same everywhere.
            yield key, f"None, {name in section.model_fields_set}"
        else:
            yield from _leaves(value, key)


def _leaves(value: Any, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, BaseModel):
        yield from _values(value, key)
    elif isinstance(value, dict):
        for name, below in value.items():
            yield from _leaves(below, f"{key}.{name}")
    elif isinstance(value, Path):
        # Of the addresses only those of feeds count, which stand below.
        yield key, repr(value) if key == _ADDRESSES else f"{value!r}, {_content(value)}"
    else:
        yield key, repr(value.get_secret_value() if isinstance(value, SecretStr) else value)


def _content(path: Path) -> str:
    """Return the digest of a file's content, or nothing for a directory and for what cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    except OSError:
        # Who needs it says that it cannot be read; that one can again is a difference.
        return ""
