"""What is pushed: the metrics of one process."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Page:
    """
    Hold the metrics of one process in the text format.

    Attributes:
        text: The metrics; None if the process gives none now, so that what was pushed of it is to go.
        labels: What tells the process from others of the same push; added to every sample.
    """

    text: bytes | None
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[tuple[str, str], ...]:
        """Return what the page is known by from push to push."""
        return tuple(sorted(self.labels.items()))


Render: TypeAlias = Callable[[], Awaitable[Sequence[Page]]]
