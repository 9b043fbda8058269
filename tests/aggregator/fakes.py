"""Stand-ins for the world outside: a source that says what a test tells it, an exchange of literal answers."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from aiohttp import web

from meshkit.errors import MeshError
from services.aggregator.config import AggregatorConfig
from services.aggregator.prices.errors import UnknownPair
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.sources.settings import SourceConfig
from services.aggregator.sources.source import UNLIMITED, Declaration, RateLimiter, TickOutcome

BTC = Pair("BTC", "USD")
ETH = Pair("ETH", "USD")
NAMES = ("binance", "coinbase", "kraken")


class ScriptedSource:
    """Answer from `prices`; fail as a whole with `failure`; wait for `gate` first; remember every call."""

    def __init__(self, name: str, max_batch: int = 10, prices: Mapping[Pair, object] | None = None) -> None:
        self.DECLARATION = Declaration(name, "http://localhost", max_batch)
        self.prices: dict[Pair, object] = dict(prices or {})
        self.failure: MeshError | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.calls: list[list[Pair]] = []

    async def fetch(self, pairs: Sequence[Pair], _limiter: RateLimiter = UNLIMITED) -> Mapping[Pair, TickOutcome]:
        """Return what the script says."""
        self.calls.append(list(pairs))
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return {
            pair: Tick(self.prices[pair]) if pair in self.prices else UnknownPair(pair, self.DECLARATION.name)
            for pair in pairs
        }


def settings(*names: str, **changes: object) -> AggregatorConfig:
    """
    Return a configuration with these sources, on which the feeds BTC/USD and ETH/USD are mapped to every one.

    Calls are not repeated and prices far apart not doubted, so that a test sees each call and is free in its prices.
    """
    names = names or NAMES
    feeds = {pair: dict.fromkeys(names, pair) for pair in (BTC, ETH)}
    sources = {name: SourceConfig(name, ttl_ms=10_000, max_retries=0) for name in names}
    config = AggregatorConfig(sources, feeds, jump_guard_bps=None, max_spread_bps=None)
    return replace(config, **changes)  # type: ignore[arg-type]


@dataclass
class LiteralExchange:
    """Serve literal answers by path; a path has one answer or a list of answers of which the last one stays."""

    url: str = ""
    answers: dict[str, list[web.Response]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def say(self, path: str, *answers: str | tuple[int, str] | tuple[int, str, dict[str, str]]) -> None:
        """Set the answers of a path: a text, or a status and a text, or these with headers."""
        self.answers[path] = []
        for item in answers:
            status, text = 200, ""
            headers: dict[str, str] = {}
            if isinstance(item, str):
                text = item
            elif len(item) == 2:
                status, text = item
            else:
                status, text, headers = item
            self.answers[path].append(
                web.Response(status=status, text=text, headers=headers, content_type="application/json")
            )

    async def handle(self, request: web.Request) -> web.Response:
        """Return the next answer of the path."""
        self.asked.append(request.path_qs)
        waiting = self.answers.get(request.path)
        if not waiting:
            return web.Response(status=599, text="the test has no answer for this")
        said = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return web.Response(status=said.status, body=said.body, headers=said.headers)
