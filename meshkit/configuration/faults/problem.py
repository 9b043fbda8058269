"""What is wrong with a configuration, and what is worth a word although it is allowed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from meshkit.errors import FailedPrecondition

Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """
    Say what is wrong at one place of the file, in our words.

    Attributes:
        place: The keys and numbers that lead to it, `("solution", "pgPort")` for example; empty for the file itself.
        found: What is there, never a secret.
        allowed: What could be there.
        line: The line of the file, from 1; 0 where there is none.
        because: Other places it follows from: where one of them is wrong itself, this says nothing.
    """

    place: Place
    found: str
    allowed: str
    line: int = 0
    because: tuple[Place, ...] = ()

    @property
    def path(self) -> str:
        """Return the place in one text, `solution.pgPort` for example."""
        return text_of(self.place)

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        return f"{where}{self.path}: found {self.found}, allowed: {self.allowed}"


def text_of(place: Place) -> str:
    """Return a place in one text."""
    return ".".join(map(str, place)) or "the file"


@dataclass(frozen=True, slots=True)
class Remark:
    """Say of one place of a file what follows from it, although it is allowed."""

    path: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}: {self.text}"


class InvalidConfiguration(FailedPrecondition):
    """The configuration file is not what it should be; `problems` has each fault, all that were found."""

    reason = "INVALID_CONFIGURATION"

    def __init__(self, path: Path, problems: Sequence[Problem]) -> None:
        lines = [str(problem) for problem in problems]
        super().__init__(
            f"{path}: {lines[0]}" if len(lines) == 1 else "\n  ".join([f"{path} has {len(lines)} faults:", *lines])
        )
        self.path = path
        self.problems = tuple(problems)
