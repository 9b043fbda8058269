"""
Texts that must never be seen outside.

A secret is registered once, where it is read (`add_secret`); from then on its text is replaced in every event of the
log and in every error that leaves the process, wherever it turns up: in a URL, in an exception, in a nested value.
"""

from collections.abc import Mapping

CENSORED = "***"
# Shorter texts would censor ordinary words; such a value is too weak to be a secret anyway.
_SHORTEST_SECRET = 8

_secrets: set[str] = set()


def add_secret(value: str) -> None:
    """Replace this text by `***` in every event from now on; texts under 8 characters are ignored."""
    if len(value) >= _SHORTEST_SECRET:
        _secrets.add(value)


def knows_secrets() -> bool:
    """Tell whether there is anything to replace."""
    return bool(_secrets)


def censor(value: object) -> object:
    """Return the value with every registered secret in its texts replaced, also within mappings and lists."""
    if isinstance(value, str):
        for secret in _secrets:
            if secret in value:
                value = value.replace(secret, CENSORED)
        return value
    if isinstance(value, Mapping):
        return {key: censor(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [censor(item) for item in value]
    if isinstance(value, int | float | bool | None):
        return value
    return censor(str(value))
