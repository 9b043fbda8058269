"""An engine on a manual clock with scripted sources."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

from meshkit.clock import Clock, ManualClock
from services.aggregator.config import AggregatorConfig
from services.aggregator.engine.engine import Engine
from services.aggregator.engine.status_metrics import StatusMetrics
from services.aggregator.metrics import open_registry
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Quote, SourceQuote
from services.aggregator.web.rendered_quotes import RenderedQuotes
from tests.aggregator.fakes import BTC, ETH, NAMES, ScriptedSource, settings

SOL = Pair("SOL", "USD")


class Bench:
    """An engine with three sources at 100, 101 and 103 for BTC/USD, whose time a test moves."""

    def __init__(self, config: AggregatorConfig, max_batch: int = 10) -> None:
        self.clock = ManualClock(1_800_000_000_000)
        self.sources = [
            ScriptedSource(name, max_batch, {BTC: price, ETH: f"{price}0", SOL: "7"})
            for name, price in zip(NAMES, ("100", "101", "103"), strict=True)
            if name in config.sources
        ]
        self.metrics = open_registry()
        self.engine = Engine(config, self.sources, self.clock, self.metrics)
        StatusMetrics(self.engine.status, None, self.clock, self.metrics)
        self.rendered = rendered_quotes(self.engine, self.clock)

    async def run(self, seconds: float, step_s: float = 0.05) -> None:
        """Move the clock in steps, letting everything that became due happen."""
        for _ in range(round(seconds / step_s)):
            self.clock.advance(step_s)
            for _ in range(12):
                await asyncio.sleep(0)

    async def ask(self, question: Awaitable[SourceQuote | Quote]) -> SourceQuote | Quote:
        """Return the answer to a question while the clock runs, so that batches depart."""
        task = asyncio.ensure_future(question)
        for _ in range(40):
            if task.done():
                break
            await self.run(0.01, 0.005)
        return await task

    async def follow(self, seen: list[object], pair: Pair = BTC) -> None:
        """Note the price or the reason of each change of a pair."""
        async for change in self.engine.answers.follow([pair], 0):
            result = change.result
            seen.append(result.price if isinstance(result, Quote) else result.reason)

    def counted(self, sample: str) -> float:
        """Return the value of a sample such as `cache_hits_total{source="kraken"}`, 0 if there is none."""
        lines = self.metrics.render().decode().splitlines()
        return next((float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"{sample} ")), 0.0)

    def calls(self) -> list[int]:
        """Return how often each source was asked."""
        return [len(source.calls) for source in self.sources]


def rendered_quotes(engine: Engine, clock: Clock) -> RenderedQuotes:
    """Return the texts of an engine's quotes."""
    return RenderedQuotes(engine.ready, clock, cached=engine.cached, sources=engine.sources, requests=engine.requests)


@asynccontextmanager
async def bench(config: AggregatorConfig | None = None, max_batch: int = 10) -> AsyncIterator[Bench]:
    """Give a started bench."""
    made = Bench(config or settings(), max_batch)
    await made.engine.start()
    yield made
    await made.engine.close()
