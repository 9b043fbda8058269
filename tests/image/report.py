"""What the image's tests measured, printed at their end."""

from typing import Final

_NOTES: Final[dict[str, str]] = {}


def note(what: str, value: str) -> None:
    """Keep a figure for the summary."""
    _NOTES[what] = value


def lines() -> list[str]:
    """Return the figures, a line each."""
    return [f"{what}: {value}" for what, value in _NOTES.items()]
