"""The page of a mesh made by hand, in a headless Chromium: keys, readers, colours, many feeds, hostile names."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Literal

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from feedmesh.supervisor.v1 import supervisor_service_pb2 as supervisor
from meshkit.clock import SystemClock
from meshkit.http.server import listen
from services.metrics.page.content.seen import MeshSeen
from services.metrics.page.content.tables import FEEDS_A_PAGE
from services.metrics.page.live.audience import Audience
from services.metrics.page.server import build
from services.metrics.page.status_page import StatusPage
from tests.browser import browsing, new_page
from tests.metrics.page.meshes import EVIL, mesh

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.long(15)]

CAPTIONS: Final = ("Alerts", "The way of a price", "Feeds", "Services", "Price sources", "Money")
NAMES: Final = ("BTC / USD", EVIL, "ETH / USD")
# WCAG 2.2, success criterion 1.4.3.
LEAST_CONTRAST: Final = 4.5
IS_LIVE: Final = "() => document.getElementById('live').textContent === 'live'"
REACHABLE: Final = "a[href], button, input, [tabindex='0']"
TEXTS: Final = """() => [...document.querySelectorAll("tbody tr")].map((row) => [...row.cells].map(
    (cell) => cell.querySelector("[data-since]") ? "" : cell.textContent))"""
# No element has a background of its own but keys to colours, which have no text.
COLOURS: Final = """() => [...document.querySelectorAll("body *:not(svg *)")]
    .filter((element) => [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim()))
    .map((element) => [element.textContent.slice(0, 40), getComputedStyle(element).color,
        getComputedStyle(document.body).backgroundColor])"""


class Site:
    """A page that is served: where, and what it has seen of the mesh."""

    def __init__(self, address: str, seen: MeshSeen) -> None:
        self.address, self.seen = address, seen

    @asynccontextmanager
    async def opened(self, browser: Browser, path: str = "/", **options: Any) -> AsyncIterator[Page]:
        """Give the page when it is live, or loaded where scripts are off; its console has nothing to complain of."""
        page, said = await new_page(browser, **options)
        await page.goto(f"{self.address}{path}")
        if options.get("java_script_enabled", True):
            await page.wait_for_function(IS_LIVE)
        yield page
        await page.close()
        assert [] == said


@asynccontextmanager
async def served(seen: MeshSeen, run_dir: Path) -> AsyncIterator[Site]:
    """Serve the page of what was seen of a mesh without processes."""

    async def render() -> bytes:
        return b""

    clock = SystemClock()
    app = build(render, StatusPage(seen, Audience(clock), run_dir, clock))
    async with await listen(app, "127.0.0.1", 0, drain_s=0.1) as server:
        yield Site(f"http://127.0.0.1:{server.port}", seen)


@pytest_asyncio.fixture(name="browser", scope="module", loop_scope="module")
async def _browser() -> AsyncIterator[Browser]:
    async with browsing() as browser:
        yield browser


@pytest_asyncio.fixture(name="site", loop_scope="module")
async def _site(run_dir: Path) -> AsyncIterator[Site]:
    async with served(mesh(NAMES), run_dir) as site:
        yield site


async def test_a_reader_finds_headings_and_tables(browser: Browser, site: Site) -> None:
    """The tree that screen readers have: one title, a heading and a named table with named columns for each part."""
    async with site.opened(browser) as page:
        headings = await page.get_by_role("heading", level=2).all_text_contents()
        tables = [await page.get_by_role("table", name=caption, exact=True).count() for caption in CAPTIONS]
        captions = await page.locator("caption").all_text_contents()
        nameless = await page.locator("thead th:not([scope=col]), thead th:empty, tbody th:not([scope=row])").count()
        ids = await page.evaluate("() => [...document.querySelectorAll('[id]')].map((element) => element.id)")

        assert 1 == await page.get_by_role("heading", level=1, name="feedmesh").count()
        assert 1 == await page.get_by_role("status").count()
        assert 1 == await page.get_by_role("main").count()
        assert "en" == await page.locator("html").get_attribute("lang")
    assert (list(CAPTIONS), list(CAPTIONS)) == (headings, captions)
    assert [1] * len(CAPTIONS) == tables
    assert 0 == nameless
    assert len(set(ids)) == len(ids)


async def test_every_control_is_reached_by_keys(browser: Browser, site: Site) -> None:
    """The tab key goes through all links, fields and tables in the order of the page, and shows where it is."""
    async with site.opened(browser) as page:
        expected = await page.locator(REACHABLE).count()
        reached = []
        for _ in range(expected):
            await page.keyboard.press("Tab")
            reached.append(
                await page.evaluate(
                    """(reachable) => [
                        [...document.querySelectorAll(reachable)].indexOf(document.activeElement),
                        getComputedStyle(document.activeElement).outlineStyle]""",
                    REACHABLE,
                )
            )
        await page.keyboard.press("Tab")
        is_over = await page.evaluate("() => document.activeElement === document.body")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        skipped_to = page.url

    assert [[index, "solid"] for index in range(expected)] == reached
    assert is_over
    assert skipped_to.endswith("/#main")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_text_can_be_read(
    browser: Browser, site: Site, scheme: Literal["light", "dark"], tmp_path: Path
) -> None:
    """In both colour schemes every text stands out from what is behind it, and dark is dark."""
    async with site.opened(browser, color_scheme=scheme) as page:
        found = await page.evaluate(COLOURS)
        await page.screenshot(path=tmp_path / f"{scheme}.png", full_page=True)
    contrasts = {text: contrast(luminance(colour), luminance(behind)) for text, colour, behind in found}

    assert len(contrasts) > 50
    assert {} == {text: value for text, value in contrasts.items() if value < LEAST_CONTRAST}
    assert (scheme == "dark") == (luminance(found[0][2]) < 0.1)


async def test_without_scripts_all_is_there(browser: Browser, site: Site) -> None:
    """Where scripts are off the same tables are plain HTML, and the page loads itself again."""
    async with site.opened(browser) as page:
        with_scripts = await page.evaluate(TEXTS)
    async with site.opened(browser, java_script_enabled=False) as page:
        rows = [await row.locator("th, td").all() for row in await page.locator("tbody tr").all()]
        without = [
            ["" if await each.locator("[data-since]").count() else await each.text_content() for each in row]
            for row in rows
        ]
        refresh = await page.locator("noscript meta[http-equiv=refresh]").get_attribute("content")

    assert len(with_scripts) > len(CAPTIONS)
    assert with_scripts == without
    assert "5" == refresh


async def test_a_name_is_never_markup(browser: Browser, site: Site) -> None:
    """A name and a message that are written as scripts are shown as they are, also when they are told."""
    async with site.opened(browser) as page:
        asked: list[str] = []
        page.on("dialog", lambda dialog: asked.append(dialog.message))
        message = f"{EVIL} again"
        change = supervisor.Service(name="postgres-init", state=supervisor.SERVICE_STATE_FAILED, message=message)
        site.seen.service_changed(supervisor.WatchServicesResponse(service=change))
        told = page.locator('[data-table="services"] [data-key="postgres-init"]')
        await told.get_by_text(message, exact=True).wait_for()
        await page.get_by_role("link", name=EVIL, exact=True).wait_for()
        scripts = await page.locator("script").count()

    assert ([], 1) == (asked, scripts)


async def test_a_change_loads_nothing_and_leaves_the_focus(browser: Browser, site: Site) -> None:
    """What is told changes its own cells: nothing is loaded, and who stands on a link of the row stays there."""
    async with site.opened(browser) as page:
        link = page.get_by_role("link", name="BTC / USD", exact=True)
        await link.focus()
        loads: list[str] = []
        page.on("request", lambda request: loads.append(request.url))
        feed = site.seen.feeds["BTC / USD"]
        feed.round_id, feed.answer = 10, "101.25"
        site.seen.touch()
        await page.locator('[data-key="BTC / USD"]').get_by_text("101.25", exact=True).wait_for()
        is_focused = await link.evaluate("(link) => document.activeElement === link")

    assert (True, []) == (is_focused, loads)


async def test_many_feeds_are_pages(browser: Browser, run_dir: Path) -> None:
    """Of 260 feeds a browser has one page's rows, finds the others by their names, and is told of these only."""
    names = [f"F{number:03} / USD" for number in range(260)]
    async with served(mesh(names), run_dir) as site, site.opened(browser) as page:
        rows = page.locator('[data-table="feeds"] tbody tr')
        first = await rows.count()
        await page.get_by_label("Feeds with").fill("f25")
        await page.get_by_role("button", name="Find").click()
        await page.wait_for_function(IS_LIVE)
        found = [await row.get_attribute("data-key") for row in await rows.all()]
        site.seen.feeds["F251 / USD"].answer = "7.5"
        site.seen.touch()
        await page.locator('[data-key="F251 / USD"]').get_by_text("7.5", exact=True).wait_for()

    assert FEEDS_A_PAGE == first
    assert names[250:260] == found


async def test_a_narrow_window_scrolls_tables_only(browser: Browser, site: Site) -> None:
    """On a window of 320 pixels the page itself fits; what is wider is scrolled within its own frame."""
    async with site.opened(browser, viewport={"width": 320, "height": 640}) as page:
        width = await page.evaluate("() => document.documentElement.scrollWidth")

    assert 320 == width


def contrast(one: float, other: float) -> float:
    """Return the contrast ratio of two relative luminances, as WCAG 2.2 defines it."""
    darker, lighter = sorted((one, other))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour `rgb(r, g, b)`, as WCAG 2.2 defines it."""
    red, green, blue = (int(part) / 255 for part in re.findall(r"\d+", colour)[:3])
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in (red, green, blue)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
