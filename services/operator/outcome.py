"""What one pass came to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from meshkit.errors import MeshError


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    Hold what a pass changed, in words and in order, and what it could not do.

    The errors stand under the part that has them: `chain`, `faucet`, a feed's name or a node's.
    """

    changes: tuple[str, ...] = ()
    errors: Mapping[str, MeshError] = field(default_factory=lambda: MappingProxyType({}))


def joined(outcomes: Iterable[Outcome]) -> Outcome:
    """Return several outcomes as one: all changes in order, and each part's last error."""
    changes: list[str] = []
    errors: dict[str, MeshError] = {}
    for outcome in outcomes:
        changes += outcome.changes
        errors |= outcome.errors
    return Outcome(tuple(changes), MappingProxyType(errors))
