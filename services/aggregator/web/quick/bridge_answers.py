"""
Answer the bodies of bridges' requests while the prices that they ask for are ready.

    body ──JSON──▶ `data` ──known by its own JSON──▶ the pairs it asks for ──▶ text of their quotes ──▶ answer

Of a body only `id` and `data` matter. What `data` asks for is read once, by the same rules as everywhere; the rest of a
body is another one in every request. What these rules refuse, or would have to wait for, is not answered here.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import orjson
from pydantic import ValidationError

from meshkit.clock import Clock
from meshkit.errors import MeshError
from services.aggregator.engine.ready_quotes import ReadyQuote, ReadyQuotes
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Quote
from services.aggregator.web import bridge

# A mesh has one text of `data` for each of its feeds, and few feeds have several.
_MOST_KNOWN = 512
_LONGEST_DATA_BYTES = 4_096
_LONGEST_ID = 128


@dataclass(slots=True, eq=False)
class _Asked:
    """
    Hold what a text of `data` asks for, and the answer that was made last.

    Attributes:
        pairs: The distinct pairs as they are spelled.
        feeds: The feed of each of them.
        ready: The quotes of the answer, with their counts; empty before the first.
        text: The answer's text.
        version: The version of the ready quotes for which they are known to be these.
        until: The monotonic moment until which they can be answered with.
    """

    data: bridge.BridgeData
    pairs: Sequence[Pair]
    feeds: Sequence[Pair]
    ready: Sequence[ReadyQuote] = ()
    quotes: Sequence[Quote] = ()
    text: bridge.AnswerText | None = None
    version: int = -1
    until: float = float("-inf")


class BridgeAnswers:
    """
    Know what the bodies of bridges' requests ask for.

    Args:
        resolve: Return the feed of a pair; raise MeshError if there is none.
        but: Pairs whose prices are not among the ready quotes.
        absent: Return why sources of a quote have no price.
    """

    def __init__(
        self,
        ready: ReadyQuotes,
        resolve: Callable[[Pair], Pair],
        clock: Clock,
        but: Collection[Pair] = (),
        absent: bridge.Absent = bridge.none_absent,
    ) -> None:
        self._ready = ready
        self._resolve = resolve
        self._clock = clock
        self._but = but
        self._absent = absent
        self._known: dict[bytes, _Asked] = {}

    def to(self, body: bytes) -> bytes | None:
        """Return the JSON of the answer to a body, and count the request; None if it is not answered here."""
        # The answer's time is one at which all of its prices are fresh, so it is read before they are looked at.
        now_ms = self._clock.time_ms()
        try:
            said = orjson.loads(body)
            if type(said) is not dict or type(said.get("data")) is not dict:
                return None
            data = orjson.dumps(said["data"])
        except (orjson.JSONDecodeError, orjson.JSONEncodeError):
            return None
        run_id = said.get("id")
        if run_id is not None and (type(run_id) is not str or len(run_id) > _LONGEST_ID):
            return None
        asked = self._known.get(data) or self._read(data)
        if asked is None or not self._is_ready(asked) or asked.text is None:
            return None
        try:
            text = asked.text.filled(run_id, now_ms, now_ms)
        except MeshError:
            return None
        for each in asked.ready:
            each.count.requests += 1
        return text

    def _is_ready(self, asked: _Asked) -> bool:
        """Tell whether all quotes can be answered with; the text is then that of these quotes."""
        now, version = self._clock.monotonic(), self._ready.version
        if asked.version == version and asked.until > now:
            return True
        ready = []
        for feed in asked.feeds:
            found = self._ready.get(feed, now)
            if found is None:
                return False
            ready.append(found)
        quotes = [each.quote for each in ready]
        if len(quotes) != len(asked.quotes) or any(map(_differ, quotes, asked.quotes)):
            asked.text = self._text(asked, quotes)
            asked.quotes = quotes
        asked.ready, asked.version, asked.until = ready, version, min(each.until for each in ready)
        return True

    def _text(self, asked: _Asked, quotes: Sequence[Quote]) -> bridge.AnswerText:
        return bridge.answer_text(asked.data, list(zip(asked.pairs, quotes, strict=True)), self._absent)

    def _read(self, data: bytes) -> _Asked | None:
        """Return what a text of `data` asks for; None if it asks for nothing that can be ready."""
        if len(data) > _LONGEST_DATA_BYTES:
            return None
        try:
            said = bridge.BridgeData.model_validate(orjson.loads(data))
            pairs = list(dict.fromkeys(said.asked()))
            feeds = [self._resolve(pair) for pair in pairs]
        except (ValidationError, MeshError):
            return None
        # Only chosen sources make a price of its own; and a value that is no pair's has another keeper.
        if said.sources is not None or any(pair in self._but for pair in pairs):
            return None
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        asked = self._known[data] = _Asked(said, pairs, feeds)
        return asked


def _differ(one: Quote, other: Quote) -> bool:
    return one is not other
