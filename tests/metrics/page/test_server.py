"""The page over HTTP."""

from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path

import aiohttp
import pytest

from meshkit.clock import ManualClock
from meshkit.http.server import listen
from services.metrics.page.content.tables import Choice
from services.metrics.page.guard import HEADERS, is_own_host
from services.metrics.page.live.audience import MOST_VIEWERS, Audience
from services.metrics.page.server import build
from services.metrics.page.status_page import StatusPage
from tests.metrics.page.meshes import NOW_S, mesh


class _Site:
    """A page that is served: its address and who looks at it."""

    def __init__(self, session: aiohttp.ClientSession, address: str, audience: Audience) -> None:
        self.session, self.address, self.audience = session, address, audience

    async def get(self, path: str, host: str | None = None) -> tuple[int, str, dict[str, str]]:
        headers = {} if host is None else {"Host": host}
        async with self.session.get(f"{self.address}{path}", headers=headers) as answer:
            return answer.status, await answer.text(), dict(answer.headers)


@pytest.fixture(name="site")
async def _site(run_dir: Path) -> AsyncIterator[_Site]:
    """Serve the page of a mesh without nodes."""

    async def render() -> bytes:
        return b"x 1\n"

    clock = ManualClock(NOW_S * 1000)
    audience = Audience(clock)
    app = build(render, StatusPage(mesh(), audience, run_dir, clock))
    async with await listen(app, "127.0.0.1", 0, drain_s=0.1) as server, aiohttp.ClientSession() as session:
        yield _Site(session, f"http://127.0.0.1:{server.port}", audience)


@pytest.mark.parametrize("path", ["/", "/page.js", "/page.css", "/page.svg", "/feeds/BTC%20%2F%20USD", "/nothing"])
async def test_every_answer_has_the_policy(site: _Site, path: str) -> None:
    """Whatever is asked for, the answer carries the strict policy and is kept by nobody."""
    status, _, headers = await site.get(path)

    assert (HTTPStatus.NOT_FOUND if path == "/nothing" else HTTPStatus.OK) == status
    assert HEADERS == {name: headers.get(name) for name in HEADERS}
    assert "unsafe" not in headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("host", "is_own"),
    [
        ("127.0.0.1:3003", True),
        ("localhost", True),
        ("LOCALHOST:80", True),
        ("[::1]:3003", True),
        ("[::1]", True),
        ("evil.example", False),
        ("evil.example:3003", False),
        ("localhost.evil.example:3003", False),
        ("127.0.0.1.evil.example", False),
        ("localhost:x", False),
        ("", False),
    ],
)
def test_hosts_that_are_ours(host: str, is_own: bool) -> None:
    """Only names that every host has for itself are ours, with any port."""
    assert is_own == is_own_host(host)


async def test_another_names_page_reads_nothing(site: _Site) -> None:
    """Asked by a name that was bent to this host, the page says what is allowed; metrics are for any name."""
    status, text, _ = await site.get("/", "evil.example:3003")

    assert (403, "Host: found 'evil.example:3003', allowed: 127.0.0.1, localhost, [::1] with any port\n") == (
        status,
        text,
    )
    assert (200, "x 1\n") == (await site.get("/metrics", "metrics.example"))[:2]


async def test_a_load_counts_as_a_look(site: _Site) -> None:
    """Whoever loads the page is looked for, with the choice that was asked for; one that is no number is the first."""
    await site.get("/?page=x&find=%20btc%20")

    assert [Choice("btc", 1)] == site.audience.choices


async def test_a_feed_without_nodes_says_why(site: _Site) -> None:
    """Where no node keeps rounds the feed's page says that, in the words of `explain`; so does a bad round."""
    status, text, _ = await site.get("/feeds/%3Cb%3E%20%2F%20USD")
    assert (200, True) == (status, "no embedded node runs here" in text)
    assert "&lt;b&gt; / USD" in text
    assert "<b>" not in text

    status, text, _ = await site.get("/feeds/BTC%20%2F%20USD?round=soon")
    assert (400, True) == (status, "ROUND: found &#x27;soon&#x27;, allowed: the contract" in text)


async def test_viewers_are_told_and_bounded(site: _Site) -> None:
    """A viewer is told all at once; when there is no room another one is sent away, and can come again."""
    async with site.session.get(f"{site.address}/events") as answer:
        assert "text/event-stream" == answer.headers["Content-Type"]
        assert HEADERS["Content-Security-Policy"] == answer.headers["Content-Security-Policy"]
        assert b"retry: 1000\n" == await answer.content.readline()
        await answer.content.readline()
        assert b"event: changes\n" == await answer.content.readline()
        more = [site.audience.joined(Choice()) for _ in range(MOST_VIEWERS - 1)]
        for each in more:
            each.__enter__()

        status, _, headers = await site.get("/events")
        assert (503, "10") == (status, headers["Retry-After"])
        for each in more:
            each.__exit__(None, None, None)


async def test_nothing_but_reading(site: _Site) -> None:
    """No other method than those that read is known."""
    for method in ("POST", "PUT", "DELETE"):
        async with site.session.request(method, f"{site.address}/") as answer:
            assert HTTPStatus.METHOD_NOT_ALLOWED == answer.status
