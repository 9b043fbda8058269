"""Ask for a batch in two halves, where one unknown pair spoils a whole call."""

from collections.abc import Awaitable, Callable, Mapping

from services.aggregator.prices.pair import Pair
from services.aggregator.sources.source import RateLimiter, TickOutcome

Ask = Callable[[Mapping[Pair, str], RateLimiter], Awaitable[Mapping[Pair, TickOutcome]]]


async def in_halves(asked: Mapping[Pair, str], ask: Ask, limiter: RateLimiter) -> Mapping[Pair, TickOutcome]:
    """Return the outcomes of two or more pairs, asked for in two calls, each of which may divide its half again."""
    items = list(asked.items())
    middle = len(items) // 2
    first = await ask(dict(items[:middle]), limiter)
    return {**first, **await ask(dict(items[middle:]), limiter)}
