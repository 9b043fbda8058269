"""Sources for tests."""

import aiohttp

from meshkit.clock import Clock, ManualClock
from meshkit.errors import MeshError
from services.aggregator.prices.pair import Pair
from services.aggregator.sources.catalog import DECLARATIONS, MAKERS
from services.aggregator.sources.client import SourceClient
from services.aggregator.sources.source import Source, TickOutcome

KEY = "a-key-for-tests"


def make(
    name: str,
    session: aiohttp.ClientSession,
    url: str,
    *,
    clock: Clock | None = None,
    key: str | None = KEY,
    timeout_ms: int = 5_000,
    proxy: str | None = None,
) -> Source:
    """Return a source by its name in the configuration, at this address, with a key if it takes one."""
    clock = clock or ManualClock()
    client = SourceClient(
        session, DECLARATIONS[name], clock, base_url=url, timeout_ms=timeout_ms, api_key=key, proxy=proxy
    )
    return MAKERS[name](client, clock)


async def told(source: Source, pair: Pair) -> TickOutcome:
    """Return what a source tells of a pair: its outcome, or the error that concerns all pairs."""
    try:
        return (await source.fetch([pair]))[pair]
    except MeshError as error:
        return error
