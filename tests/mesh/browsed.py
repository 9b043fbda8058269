"""What the page of a running mesh shows in a browser, and what the commands say of the same."""

import asyncio
import json
import re
import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from playwright.async_api import Browser, Page

from meshkit.listings import feeds, services, sources
from tests.browser import new_page
from tests.mesh.running import Mesh

# Each table of the page with the command that shows the same, and how many of its columns that has.
LISTINGS: Final[Mapping[str, tuple[str, int]]] = {
    "services": ("status", len(services.COLUMNS)),
    "feeds": ("feeds", len(feeds.COLUMNS)),
    "sources": ("sources", len(sources.COLUMNS)),
}
# It counts on while both are asked.
_DURATION: Final = re.compile(r"\b(\d+h \d+m|\d+m \d+s|\d+s)\b")
_WITHIN_S: Final = 60.0
# Notes when the service's row has another process, by the browser's own clock.
_WATCH_ROW: Final = """
([table, key]) => {
  window.watched = [];
  const row = document.querySelector(`[data-table="${table}"] [data-key="${key}"]`);
  new MutationObserver(() => window.watched.push([Date.now(), row.innerText.replace(/\\s+/g, " ")]))
    .observe(row, { childList: true, characterData: true, subtree: true });
}
"""
# What the browser loads with the page is there before; whatever comes later is a request of the script.
_LOADED: Final = (
    "() => performance.getEntriesByType('navigation').length + performance.getEntriesByType('resource').length"
)


async def opened(browser: Browser, mesh: Mesh) -> tuple[Page, list[str]]:
    """Return the page, when it is live, and what its console complains of."""
    page, said = await new_page(browser)
    await page.goto(f"http://127.0.0.1:{3003 + mesh.offset}/")
    await page.wait_for_function("() => document.getElementById('live').textContent === 'live'")
    return page, said


async def difference(page: Page, mesh: Mesh, table: str) -> tuple[set[str], set[str]]:
    """
    Return what only the command says, and what only the page shows: nothing, once both were asked at one moment.

    The page is read before and after the command, since a round may come in between.
    """
    command, columns = LISTINGS[table]
    end_s = time.monotonic() + _WITHIN_S
    while True:
        before = await shown(page, table, columns)
        done = await asyncio.to_thread(mesh.command, command, check=False)
        after = await shown(page, table, columns)
        said = {_settled(line) for line in done.stdout.splitlines()[1:]}
        found = said - (before | after), (before & after) - said
        if not any(found) or time.monotonic() > end_s:
            return found


async def balances(page: Page, no_more_than: Mapping[str, int]) -> dict[str, int]:
    """Return the page's balances in wei by account and address, once no account has more than it had before."""
    end_s = time.monotonic() + _WITHIN_S
    while True:
        rows: list[list[str]] = await page.evaluate(
            """() => [...document.querySelector('[data-table="money"]').tBodies[0].rows]
                .map((row) => [...row.cells].map((cell) => cell.textContent))"""
        )
        found = {f"{row[0]} {row[-1]}": int(Decimal(row[1]) * 10**18) for row in rows}
        if all(wei <= no_more_than.get(account, wei) for account, wei in found.items()) or time.monotonic() > end_s:
            return found
        await page.wait_for_timeout(100)


async def balances_said(mesh: Mesh) -> dict[str, int]:
    """Return what `feedmesh balances` says, in the same way."""
    done = await asyncio.to_thread(mesh.command, "balances", "--json")
    told = json.loads(done.stdout)["balances"]
    return {f"{balance['name']} {balance['address']}": int(balance["balance_wei"]) for balance in told}


async def shown(page: Page, table: str, columns: int) -> set[str]:
    """Return the rows of a table, its notes, and the verdict where it belongs to the services."""
    texts: dict[str, Any] = await page.evaluate(
        """([id, columns]) => ({
            rows: [...document.querySelector(`[data-table="${id}"]`).tBodies[0].rows]
                .map((row) => [...row.cells].slice(0, columns).map((cell) => cell.textContent).join(" ")),
            notes: [...document.querySelectorAll(`#${id}-notes li`)].map((note) => note.textContent),
            verdict: document.getElementById("verdict-words").textContent,
        })""",
        [table, columns],
    )
    verdict = [f"verdict: {texts['verdict']}"] if table == "services" else []
    return {_settled(text) for text in (*texts["rows"], *texts["notes"], *verdict)}


async def watch_row(page: Page, table: str, key: str) -> int:
    """Have the browser note each change of a row; return how many documents and files it has loaded until now."""
    await page.evaluate(_WATCH_ROW, [table, key])
    loaded: int = await page.evaluate(_LOADED)
    return loaded


async def first_change(page: Page, without: str) -> tuple[int, str, int]:
    """Return when the watched row first lost a text (Unix milliseconds), what it then said, how much was loaded."""
    await page.wait_for_function("(gone) => window.watched.some(([, text]) => !text.includes(gone))", arg=without)
    at_ms, text = await page.evaluate("(gone) => window.watched.find(([, text]) => !text.includes(gone))", without)
    return at_ms, text, await page.evaluate(_LOADED)


async def recovered(page: Page, service: str, restarts: int) -> None:
    """Wait until a service's row says that it is healthy after so many restarts."""
    await page.wait_for_function(
        """([key, restarts]) => {
            const cells = document.querySelector(`[data-table="services"] [data-key="${key}"]`).cells;
            return cells[1].textContent === "healthy" && cells[3].textContent === String(restarts);
        }""",
        arg=[service, restarts],
    )


def _settled(text: str) -> str:
    return " ".join(_DURATION.sub("…", text).split())
