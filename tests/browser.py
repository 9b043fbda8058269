"""A headless Chromium, driven by Playwright, that looks at a page on loopback."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

SCRIPT = Path(__file__).parents[1] / "scripts" / "browser"


def program() -> Path:
    """Return the path of the browser that `make browser` unpacks; skip the test where there is none."""
    found = Path(subprocess.run([SCRIPT, "--where"], check=True, capture_output=True, text=True).stdout.strip())
    if not found.exists():
        pytest.skip(f"no browser at {found}: make browser fetches Debian's package")
    return found


@contextmanager
def browsing() -> Iterator[Browser]:
    """Run a browser for as long as the context lasts."""
    # As root it has no sandbox; in containers /dev/shm may be small.
    arguments = ["--disable-dev-shm-usage", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program(), args=arguments)
        try:
            yield browser
        finally:
            browser.close()


def complaints(page: Page) -> list[str]:
    """Return a list that fills with what the page's console calls an error or a warning, and with scripts' errors."""
    found: list[str] = []
    page.on("console", lambda said: found.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: found.append(str(error)))
    return found
