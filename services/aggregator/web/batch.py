"""GET /quotes/batch: what it asks for, read once for each spelling of the query, and its answer."""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from aiohttp import web
from cachetools import LRUCache

from meshkit.clock import Clock
from meshkit.errors import MeshError
from services.aggregator.engine.answers import QuoteAnswers
from services.aggregator.engine.source_names import SourceNames
from services.aggregator.prices.errors import SourceDisabled
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Result
from services.aggregator.web import quote_json
from services.aggregator.web.fresh_results import FreshResults
from services.aggregator.web.parameters import CHOSEN, PAIRS, SOURCES, read_fields, read_pairs, read_sources
from services.aggregator.web.rendered_quotes import MOST_BATCHES, RenderedQuotes


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """
    Hold what one query asks for.

    Attributes:
        pairs: The distinct pairs as spelled, in the order of their first mention.
        fields: The chosen fields of a quote; None for all of them.
        feeds: The feed of each pair, None where its quote cannot be the current one.
        heads: The beginning of each pair's entry.
    """

    pairs: Sequence[Pair]
    sources: Sequence[str] | None
    fields: Sequence[str] | None
    feeds: Sequence[Pair | None]
    heads: Sequence[bytes]


class BatchRoute:
    """Answer batches."""

    def __init__(self, answers: QuoteAnswers, rendered: RenderedQuotes, sources: SourceNames, clock: Clock) -> None:
        self._answers = answers
        self._rendered = rendered
        self._sources = sources
        self._clock = clock
        self._batches: LRUCache[str, Batch] = LRUCache(MOST_BATCHES)

    async def answer(self, request: web.Request) -> bytes:
        """Return the JSON of the answer; raise InvalidInput for a query that asks for no batch."""
        batch = self._batches.get(request.raw_path)
        if batch is None:
            query = request.query
            batch = self._batches[request.raw_path] = self.read(
                query.get(PAIRS.name, ""), query.get(SOURCES.name), query.get(CHOSEN.name)
            )
        return self.rendered(batch) or await self._made(batch)

    def rendered(self, batch: Batch) -> bytes | None:
        """Return the JSON of the answer if all of its prices are ready."""
        # The answer's time is one at which all of its prices are fresh, so it is read before they are looked at.
        now_ms = self._clock.time_ms()
        if batch.fields is None:
            entries = self._rendered.batch_text(batch, batch.feeds, batch.heads)
            return None if entries is None else _whole(now_ms, entries)
        pairs = zip(batch.heads, self._texts(batch), strict=True)
        chosen = [head + text for head, text in pairs if text is not None]
        return None if len(chosen) < len(batch.feeds) else _whole(now_ms, b",".join(chosen))

    def _texts(self, batch: Batch) -> list[bytes | None]:
        """Return the rest of each pair's entry, None for one that must be made."""
        if batch.fields is None:
            return self._rendered.texts(batch.feeds)
        quotes = (None if feed is None else self._rendered.quote(feed) for feed in batch.feeds)
        return [None if quote is None else quote_json.quote_text(quote, batch.fields) for quote in quotes]

    def read(self, pairs: str, sources: str | None, fields: str | None) -> Batch:
        """Return what a query's comma lists ask for; raise InvalidInput, or SourceDisabled."""
        distinct = list(dict.fromkeys(read_pairs(pairs)))
        names = None if sources is None else read_sources(sources)
        require_enabled(self._sources, names)
        return Batch(
            distinct,
            names,
            None if fields is None else read_fields(fields),
            [self._feed(pair) if sources is None else None for pair in distinct],
            [quote_json.entry_head(pair) for pair in distinct],
        )

    def _feed(self, pair: Pair) -> Pair | None:
        try:
            return self._answers.resolve(pair)
        except MeshError:
            return None

    async def _made(self, batch: Batch) -> bytes:
        """Return the answer of a batch of which some quotes must be made; none expires while another one is awaited."""
        results = FreshResults(self._answers, self._clock, batch.sources)
        while True:
            now_ms = self._clock.time_ms()
            texts = self._texts(batch)
            now = self._clock.monotonic()
            asked = list(zip(batch.pairs, batch.heads, texts, strict=True))
            missing = results.missing((pair for pair, _, text in asked if text is None), now)
            if not missing:
                break
            await results.ask(missing)
        fields = quote_json.FIELDS if batch.fields is None else batch.fields
        entries = (
            orjson.dumps(quote_json.entry(pair, results[pair], fields)) if text is None else head + text
            for pair, head, text in asked
        )
        return _whole(now_ms, b",".join(entries))


def require_enabled(names: SourceNames, sources: Sequence[str] | None) -> None:
    """Raise SourceDisabled if one of the sources is switched off or not configured."""
    if sources is not None:
        for name in sources:
            if name not in names.enabled:
                raise SourceDisabled(name)


async def present(
    answers: QuoteAnswers, names: SourceNames, clock: Clock, pairs: Sequence[Pair], sources: Sequence[str] | None
) -> tuple[int, list[tuple[Pair, Result]]]:
    """
    Return a moment in Unix ms, and for each distinct pair a quote that is fresh at that moment, or an error.

    Raises SourceDisabled for a source that is switched off.
    """
    require_enabled(names, sources)
    results = FreshResults(answers, clock, sources)
    missing: Sequence[Pair] = pairs
    while True:
        await results.ask(missing)
        now_ms, now = clock.time_ms(), clock.monotonic()
        missing = results.missing(pairs, now)
        if not missing:
            return now_ms, [(pair, results[pair]) for pair in dict.fromkeys(pairs)]


def _whole(now_ms: int, entries: bytes) -> bytes:
    return b'{"timestamp":"%b","quotes":[%b]}' % (quote_json.time_text(now_ms).encode(), entries)
