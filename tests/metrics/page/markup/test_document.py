"""The page without its script."""

import re

from services.metrics.page.content.tables import Choice, chosen, view
from services.metrics.page.markup.document import page
from tests.metrics.page.meshes import EVIL, NOW_S, mesh


def shown(names: list[str], choice: Choice | None = None) -> str:
    """Return the page of a mesh with these feeds."""
    seen, choice = mesh(names), choice or Choice()
    return page(view(seen, choice, NOW_S), choice, chosen(seen, choice)[2], NOW_S)


def test_all_is_there_as_plain_tables() -> None:
    """Without a script there are the verdict and every table with its rows, and a reload every few seconds."""
    text = shown(["BTC / USD", "ETH / USD"])

    assert ["alerts", "links", "feeds", "services", "sources", "money"] == re.findall('data-table="([a-z]+)"', text)
    assert '<span id="verdict-words">' in text
    for word in ("chainlink-node-2", "2m 5s", "100.5", "101.5", "+99.5 bps", "kraken", "75 %", "faucet", "2.2"):
        assert word in text
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in text
    assert '<a href="/feeds/BTC%20%2F%20USD">BTC / USD</a>' in text


def test_names_are_no_markup() -> None:
    """Names and messages with markup in them are read, not run, wherever they stand."""
    text = shown([EVIL, "b"], Choice(find="<SCRIPT>"))

    assert re.findall("<script[^>]*>", text) == ['<script src="/page.js" defer>']
    assert "&lt;script&gt;alert(&#x27;1&#x27;)&lt;/script&gt;" in text
    assert 'value="&lt;SCRIPT&gt;"' in text
    assert "/feeds/%3Cscript%3Ealert" in text


def test_nothing_stands_in_the_way_of_the_policy() -> None:
    """There is no style, script or handler inside the page, and nothing from elsewhere."""
    text = shown(["BTC / USD", "ETH / USD"])

    assert [] == re.findall(r"<style|\sstyle=|\son[a-z]+=|javascript:|https?://|<script(?! src)", text)


def test_it_can_be_read_aloud_and_used_by_keys() -> None:
    """Landmarks, a language, captions, scopes, a spoken verdict, names of fields, and tables that keys can scroll."""
    text = shown(["BTC / USD", "ETH / USD"])

    for part in (
        '<html lang="en">',
        '<a href="#main" class="skip">',
        "<header>",
        '<main id="main">',
        'role="status" aria-live="polite"',
        '<label for="find">',
        '<caption class="spoken">Services</caption>',
        '<th scope="col">state</th>',
        '<th scope="row" data-column="service"',
        'tabindex="0" role="region" aria-label="Services, table"',
    ):
        assert part in text
    assert text.count("<caption") == text.count("<table") == 6
    assert not re.findall(r"<th[^>]*></th>", text)


def test_pages_of_feeds_are_linked() -> None:
    """Many feeds have links to all pages, with what is looked for; the shown one is marked."""
    text = shown([f"Feed {index}" for index in range(81)], Choice("feed", 2))

    assert ['href="/?find=feed&amp;page=2#feeds" aria-current="page"'] == re.findall(
        'href="[^"]*" aria-current="page"', text
    )
    assert 3 == len(re.findall(r"/\?find=feed&amp;page=", text))
