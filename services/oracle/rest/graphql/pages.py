"""Pages of lists, and what is not there, as GraphQL's questions have them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

_USUAL: Final = 50
# Pages of Operator UI ask for a thousand jobs at most.
_LARGEST: Final = 1000
_LARGEST_NUMBER: Final = 2**63 - 1
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Page:
    """Hold which part of a list is wanted."""

    first: int
    size: int

    @classmethod
    def of(cls, arguments: Mapping[str, int | None]) -> "Page":
        """Return the page of an offset and a limit, each of which may be missing; one that cannot be is the nearest."""
        offset, limit = arguments.get("offset"), arguments.get("limit")
        return cls(max(offset or 0, 0), _USUAL if limit is None else min(max(limit, 0), _LARGEST))

    def cut(self, items: Sequence[_Item]) -> Sequence[_Item]:
        """Return that part of a list."""
        return items[self.first : self.first + self.size]


def page_of(items: Sequence[Any], arguments: Mapping[str, int | None], count: int | None = None) -> dict[str, Any]:
    """Return a page of a whole list; of what is a page already, if it is told of how many."""
    shown = Page.of(arguments).cut(items) if count is None else items
    return result_page(shown, len(items) if count is None else count)


def result_page(items: Sequence[Any], count: int) -> dict[str, Any]:
    """Return the items of a page of so many."""
    return {"results": list(items), "metadata": {"total": count}}


def missing(what: str) -> dict[str, Any]:
    """Return the answer for something that is not there."""
    return {"__typename": "NotFoundError", "message": f"{what} not found", "code": "NOT_FOUND"}


def whole_number(text: str) -> int | None:
    """Return the number of an id, None if it can be no number of ours."""
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(_LARGEST_NUMBER)):
        return None
    return number if (number := int(text)) <= _LARGEST_NUMBER else None
