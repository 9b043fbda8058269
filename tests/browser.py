"""A headless Chromium, driven by Playwright, that looks at a page on loopback."""

import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.async_api import Browser, Page, async_playwright

# A loaded machine is no reason to fail.
_PATIENCE_MS: Final = 60_000
SCRIPT = Path(__file__).parents[1] / "scripts" / "browser"


def program() -> Path:
    """Return the path of the browser that `make browser` unpacks; skip the test where there is none."""
    found = Path(subprocess.run([SCRIPT, "--where"], check=True, capture_output=True, text=True).stdout.strip())
    if not found.exists():
        pytest.skip(f"no browser at {found}: make browser fetches Debian's package")
    return found


@asynccontextmanager
async def browsing() -> AsyncIterator[Browser]:
    """Run a browser for as long as the context lasts."""
    # As root it has no sandbox; in containers /dev/shm may be small.
    arguments = ["--disable-dev-shm-usage", "--disable-gpu", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    path = program()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=arguments)
        try:
            yield browser
        finally:
            await browser.close()


async def new_page(browser: Browser, **options: Any) -> tuple[Page, list[str]]:
    """Return a page that is patient, and a list that fills with what its console calls an error or a warning."""
    page = await browser.new_page(**options)
    page.set_default_timeout(_PATIENCE_MS)
    found: list[str] = []
    page.on("console", lambda said: found.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: found.append(str(error)))
    return page, found
