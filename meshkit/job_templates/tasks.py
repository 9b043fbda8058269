"""The tasks of a pipeline and what leads from one to the other, as far as a template's price needs them."""

import re
from dataclasses import dataclass
from typing import Final

from meshkit import dot

_REFERENCE: Final = re.compile(r"\$\(\s*([^\s.)]+)[^)]*\)")


@dataclass(frozen=True, slots=True)
class Tasks:
    """
    Hold the tasks of a pipeline.

    Attributes:
        attributes: Each task's attributes by name in lower case, in the order of the text.
        before: The tasks that an arrow leads from to each, in the order of the text.
    """

    attributes: dict[str, dict[str, str]]
    before: dict[str, list[str]]

    @property
    def last(self) -> tuple[str, ...]:
        """Return the tasks that nothing comes after."""
        earlier = {name for names in self.before.values() for name in names}
        earlier |= {name for each in self.attributes.values() for text in each.values() for name in references(text)}
        return tuple(name for name in self.attributes if name not in earlier)


def references(text: str) -> tuple[str, ...]:
    """Return the tasks whose results an attribute asks for: of `$(a), $(b)` a and b."""
    return tuple(_REFERENCE.findall(text))


def read(text: str) -> Tasks:
    """Read a pipeline as a node does. Raises NotDot, with the node's words."""
    graph = dot.read(text)
    attributes = {node.id: {name.lower(): value for name, value in node.attributes.items()} for node in graph.nodes}
    if len(attributes) < len(graph.nodes):
        raise dot.NotDot("found a task twice, with quotes and without: allowed: once")
    before: dict[str, list[str]] = {}
    for earlier, later in sorted(graph.edges):
        before.setdefault(graph.nodes[later].id, []).append(graph.nodes[earlier].id)
    return Tasks(attributes, before)
