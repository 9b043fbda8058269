"""HTML, built so that no text can become markup: whatever is not Markup already is escaped."""

from html import escape

_VOID = frozenset({"input", "link", "meta"})


class Markup(str):
    """Hold text that is HTML; only `tag` and `joined` make it."""

    __slots__ = ()


def tag(name: str, /, *children: str, **attributes: str | int | bool | None) -> Markup:
    """
    Return an element; children that are no Markup are escaped, as are all attributes' values.

    Args:
        name: The element's name.
        children: What is in it.
        attributes: By name, `_` stands for `-` and an `_` at the end for nothing; None and False leave one out, True
            has no value.
    """
    words = "".join(_attribute(key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items())
    if name in _VOID:
        return Markup(f"<{name}{words}>")
    return Markup(f"<{name}{words}>{joined(*children)}</{name}>")


def joined(*children: str) -> Markup:
    """Return children one after the other, escaped where they are no Markup."""
    return Markup("".join(child if isinstance(child, Markup) else escape(child) for child in children))


def _attribute(name: str, value: str | int | bool | None) -> str:
    if value is None or value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'
