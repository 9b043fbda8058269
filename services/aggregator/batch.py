"""GET /quotes/batch: what it asks for, read once for each spelling of the query, and its answer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import add
from typing import cast

import orjson
from aiohttp import web
from cachetools import LRUCache

from meshkit.clock import Clock
from meshkit.errors import InvalidInput, MeshError
from services.aggregator import body
from services.aggregator.engine import Engine
from services.aggregator.pair import Pair, parse_pair
from services.aggregator.quote import Quote, Result

MOST_PAIRS = 500
LONGEST_PAIRS_TEXT = 24_000
# Operators ask for the same few batches again and again.
_MOST_BATCHES = 64


@dataclass(frozen=True, slots=True)
class Batch:
    """
    Hold what one query asks for.

    Attributes:
        pairs: The distinct pairs as spelled, in the order of their first mention.
        feeds: The feed of each pair, None where its quote cannot be the kept one.
        heads: The beginning of each pair's entry.
    """

    pairs: Sequence[Pair]
    sources: Sequence[str] | None
    feeds: Sequence[Pair | None]
    heads: Sequence[bytes]


class BatchRoute:
    """Answer batches."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._batches: LRUCache[str, Batch] = LRUCache(_MOST_BATCHES)

    async def answer(self, request: web.Request) -> bytes:
        """Return the JSON of the answer; raise InvalidInput for a query that asks for no batch."""
        batch = self._batches.get(request.raw_path)
        if batch is None:
            pairs, sources = parse_pairs(request.query.get("pairs")), parse_sources(request.query.get("sources"))
            batch = self._batches[request.raw_path] = self.read(pairs, sources)
        return self.kept(batch) or self._whole(await self._entries(batch))

    def kept(self, batch: Batch) -> bytes | None:
        """Return the JSON of the answer if all of its prices are kept."""
        texts = self._engine.shelf.texts(batch.feeds)
        return None if None in texts else self._whole(map(add, batch.heads, cast(list[bytes], texts)))

    def _whole(self, entries: Iterable[bytes]) -> bytes:
        time = body.time_text(self._clock.time_ms()).encode()
        return b'{"timestamp":"%b","quotes":[%b]}' % (time, b",".join(entries))

    def read(self, pairs: Sequence[Pair], sources: Sequence[str] | None) -> Batch:
        """Return what a batch of these pairs needs."""
        distinct = list(dict.fromkeys(pairs))
        feeds = [self._feed(pair) if sources is None else None for pair in distinct]
        return Batch(distinct, sources, feeds, [body.entry_head(pair) for pair in distinct])

    def _feed(self, pair: Pair) -> Pair | None:
        try:
            return self._engine.resolve(pair)
        except MeshError:
            return None

    async def _entries(self, batch: Batch) -> list[bytes]:
        """Return the entries of a batch of which some must be made; none expires while another one is awaited."""
        results: dict[Pair, Result] = {}
        while True:
            texts = self._engine.shelf.texts(batch.feeds)
            now = self._clock.monotonic()
            asked = list(zip(batch.pairs, batch.heads, texts, strict=True))
            missing = [pair for pair, _, text in asked if text is None and not _holds(results.get(pair), now)]
            if not missing:
                break
            results.update(await self._engine.quotes(missing, sources=batch.sources))
        return [
            orjson.dumps(body.entry(pair, results[pair])) if text is None else head + text for pair, head, text in asked
        ]


async def present(
    engine: Engine, clock: Clock, pairs: Sequence[Pair], sources: Sequence[str] | None
) -> list[tuple[Pair, Result]]:
    """Return a quote or an error for each distinct pair; no quote has expired while another one was awaited."""
    results: dict[Pair, Result] = {}
    missing: Sequence[Pair] = pairs
    while missing:
        results.update(await engine.quotes(missing, sources=sources))
        now = clock.monotonic()
        missing = [pair for pair, result in results.items() if not _holds(result, now)]
    return list(results.items())


def _holds(result: Result | None, now: float) -> bool:
    return result.expires_at > now if isinstance(result, Quote) else result is not None


def parse_pairs(text: str | None) -> list[Pair]:
    """Return the pairs of a comma list; raise InvalidInput naming the pair that is none, or the limit."""
    if not text:
        raise InvalidInput("pairs", text, "a comma list such as BTC-USD,ETH-USD")
    if len(text) > LONGEST_PAIRS_TEXT:
        raise InvalidInput("pairs", f"{len(text)} characters", f"at most {LONGEST_PAIRS_TEXT} characters")
    items = text.split(",")
    if len(items) > MOST_PAIRS:
        raise InvalidInput("pairs", f"{len(items)} pairs", f"at most {MOST_PAIRS} pairs")
    return [parse_pair(item, "pairs") for item in items]


def parse_sources(text: str | None) -> Sequence[str] | None:
    """Return the names of a comma list, or None if there is no list; the engine checks them."""
    if text is None:
        return None
    names = [name.strip() for name in text[:1000].split(",") if name.strip()]
    if not names:
        raise InvalidInput("sources", text, "a comma list such as binance,kraken")
    return names
