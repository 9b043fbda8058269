"""HTML out of texts."""

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from services.metrics.page.markup.elements import Markup, joined, tag


class _Reader(HTMLParser):
    """Keep the elements, the attributes and the text that a browser would find."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_text_becomes_markup(text: str, value: str) -> None:
    """Whatever text is in an element or an attribute, a browser finds that one element and just that text."""
    reader = _Reader()
    reader.feed(tag("td", text, title=value))
    reader.close()

    assert ([("td", {"title": value})], text) == (reader.found, reader.text)


def test_elements() -> None:
    """Elements nest, void ones have no end, attributes have dashes, and those that are off are left out."""
    assert '<p id="a" aria-live="polite" hidden>x&amp;<b>y</b></p>' == tag(
        "p", "x&", tag("b", "y"), id="a", aria_live="polite", hidden=True, class_=None, for_=False
    )
    assert '<meta name="a">' == tag("meta", name="a")
    assert isinstance(joined("<"), Markup)
