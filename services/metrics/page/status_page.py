"""The routes of the page: the mesh, one feed, the events, and the files that belong to them."""

import asyncio
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Final

import grpc.aio
from aiohttp import web

from meshkit.clock import Clock
from meshkit.errors import InvalidInput, MeshError
from meshkit.explain.asking import ask
from meshkit.explain.round_story import RoundStory
from meshkit.explain.selection import read_selection
from services.metrics.page.content.seen import MeshSeen
from services.metrics.page.content.tables import Choice, chosen, view
from services.metrics.page.live.audience import Audience
from services.metrics.page.live.events import Events
from services.metrics.page.markup.document import page
from services.metrics.page.markup.feed_page import feed_page
from services.metrics.page.recent_rounds import recent_rounds

_ASSETS: Final = {
    "page.js": "text/javascript",
    "page.css": "text/css",
    "page.svg": "image/svg+xml",
}
_MOST_ROUNDS: Final = 12
_LONGEST_TEXT: Final = 64
# Each explanation asks all nodes several things.
_EXPLAINED_AT_ONCE: Final = 2


class StatusPage:
    """Answer for the page; it only reads."""

    def __init__(self, seen: MeshSeen, audience: Audience, run_dir: Path, clock: Clock) -> None:
        self._seen = seen
        self._audience = audience
        self._run_dir = run_dir
        self._clock = clock
        self._events = Events(seen, audience, clock)
        self._explaining = asyncio.Semaphore(_EXPLAINED_AT_ONCE)
        self._assets = {name: files(__package__).joinpath("assets", name).read_bytes() for name in _ASSETS}

    def add_to(self, app: web.Application) -> None:
        """Add the routes."""
        app.router.add_get("/", self._mesh)
        app.router.add_get("/events", self._tell, allow_head=False)
        app.router.add_get("/feeds/{feed:.+}", self._feed)
        for name in _ASSETS:
            app.router.add_get(f"/{name}", self._asset)
        app.on_shutdown.append(self._close)

    async def _mesh(self, request: web.Request) -> web.Response:
        choice = _choice(request.query)
        self._audience.glanced(choice)
        now_s = self._now_s()
        _, number, pages = chosen(self._seen, choice)
        shown = Choice(choice.find, number)
        return _html(page(view(self._seen, shown, now_s), shown, pages, now_s))

    async def _tell(self, request: web.Request) -> web.StreamResponse:
        return await self._events.answer(request, _choice(request.query))

    async def _feed(self, request: web.Request) -> web.Response:
        feed, round_text = request.match_info["feed"], request.query.get("round", "").strip()
        async with self._explaining:
            told, status = await self._told(feed, round_text)
            recent = await self._recent(feed)
        plot = self._seen.histories[feed].drawn if feed in self._seen.histories else ((), "")
        return _html(feed_page(feed, round_text, told, recent, plot), status)

    async def _told(self, feed: str, round_text: str) -> tuple[RoundStory | str, int]:
        """Return a round, or why there is none, and the status of the answer."""
        try:
            kept = await ask(self._run_dir, feed, read_selection(round_text, self._now_s()))
        except InvalidInput as error:
            return str(error), 404 if error.field == "FEED" else error.http_status
        except MeshError as error:
            return str(error), 200
        except grpc.aio.AioRpcError as error:
            return error.details() or error.code().name, 200
        return kept.story, 200

    async def _recent(self, feed: str) -> list[RoundStory]:
        known = self._seen.feeds.get(feed)
        if known is None:
            return []
        try:
            return await recent_rounds(self._run_dir, feed, _MOST_ROUNDS, known.decimals)
        except (MeshError, grpc.aio.AioRpcError):
            # The story before has said why.
            return []

    async def _asset(self, request: web.Request) -> web.Response:
        name = request.path.removeprefix("/")
        return web.Response(body=self._assets[name], content_type=_ASSETS[name], charset="utf-8")

    async def _close(self, _app: web.Application) -> None:
        self._events.close()

    def _now_s(self) -> float:
        return self._clock.time_ms() / 1000


def _choice(query: Mapping[str, str]) -> Choice:
    """Return which feeds are asked for; a page that is no number is the first."""
    number = query.get("page", "")
    page_number = int(number) if number.isascii() and number.isdecimal() and len(number) < 7 else 1
    return Choice(query.get("find", "").strip()[:_LONGEST_TEXT], max(page_number, 1))


def _html(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text, content_type="text/html", status=status)
