"""A configuration for one service's eyes: the secrets of keys that it does not declare are masked."""

import copy
import re
from collections.abc import Iterator
from typing import Any, Final

from pydantic import BaseModel, SecretStr

from meshkit.configuration.keys_by_service import ServiceKeys
from meshkit.configuration.solution import Configuration

_MASK: Final = "hidden-from-this-service."
_KEY: Final = re.compile("(0[xX])?[0-9a-fA-F]{64}")


def masked(document: Any, configuration: Configuration, keys: ServiceKeys) -> Any:
    """
    Return the document with a mask in the place of every secret that the service does not declare.

    Args:
        document: The file's JSON, with the secrets themselves in it; it is not changed.
        configuration: The same, validated.
        keys: What the service declares.
    """
    result = copy.deepcopy(document)
    for place, secret in _secrets(configuration, ()):
        if not keys.has(".".join(place)):
            _set(result, place, _mask(secret))
    return result


def _secrets(value: object, place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, SecretStr):
        yield place, value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name, below in value:
            yield from _secrets(below, (*place, type(value).model_fields[name].alias or name))
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _secrets(item, (*place, str(name)))


def _mask(secret: str) -> str:
    # As long as the secret, so that it is valid where that is; in the place of a key stands the key 1.
    if (key := _KEY.fullmatch(secret)) is not None:
        return f"{key[1] or ''}{'0' * 63}1"
    scheme, is_url, _ = secret.partition("://")
    if is_url:  # still one, of nowhere
        return f"{scheme}://hidden:{_MASK}@localhost"
    # As long as the secret, so that it is valid where that is.
    return (_MASK * (len(secret) // len(_MASK) + 1))[: len(secret)]


def _set(document: Any, place: tuple[str, ...], text: str) -> None:
    *path, last = place
    for name in path:
        document = document[name]
    if last in document:  # else it is a default
        document[last] = text
