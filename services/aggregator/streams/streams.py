"""All streams: what each is to carry, and their prices gathered for the cache."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from itertools import islice

from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.streams.source_stream import SourceStream, StreamState

# Pairs that are registered within this time share a message.
GATHER_S = 0.1
# A busy exchange sends twenty prices a second of a pair; only the last of each turn is worth the work.
TURN_S = 0.05
# So many of them are handed over before whatever else waits has its turn: a millisecond's work or two.
TOGETHER = 10


class Streams:
    """
    Keep each stream at what is registered.

    Args:
        pairs: Return the pairs of a source that are registered now.
        deliver: Called with the latest price of a pair, at most once a turn.
        settle: Called when the prices of a turn are delivered, to do so many steps of what follows from them; it tells
            whether there are more.
    """

    def __init__(
        self,
        streams: Iterable[SourceStream],
        *,
        pairs: Callable[[str], Iterable[Pair]],
        deliver: Callable[[str, Pair, Tick], None],
        settle: Callable[[int], bool] = lambda _most: False,
    ) -> None:
        self._streams: Mapping[str, SourceStream] = {stream.source: stream for stream in streams}
        self._pairs = pairs
        self._deliver = deliver
        self._settle = settle
        self._changed: set[str] = set()
        self._gathering: asyncio.TimerHandle | None = None
        self._latest: dict[tuple[str, Pair], Tick] = {}
        self._due: dict[tuple[str, Pair], Tick] = {}
        self._turn: asyncio.TimerHandle | None = None
        for stream in self._streams.values():
            stream.on_price(self._gather_price)

    def change(self, source: str) -> None:
        """Note that other pairs of a source are registered than before."""
        if source not in self._streams:
            return
        self._changed.add(source)
        if self._gathering is None:
            self._gathering = asyncio.get_running_loop().call_later(GATHER_S, self._apply)

    def state(self, source: str) -> StreamState | None:
        """Return the state of a source's stream, None if it has none."""
        stream = self._streams.get(source)
        return None if stream is None else stream.state

    async def close(self) -> None:
        """Close all streams and return when they are closed."""
        for handle in (self._gathering, self._turn):
            if handle is not None:
                handle.cancel()
        self._gathering = self._turn = None
        await asyncio.gather(*(stream.close() for stream in self._streams.values()))

    def _apply(self) -> None:
        self._gathering = None
        changed, self._changed = self._changed, set()
        for source in changed:
            self._streams[source].want(self._pairs(source))

    def _gather_price(self, source: str, pair: Pair, tick: Tick) -> None:
        waiting = self._latest.get((source, pair))
        # Two connections overlap while one replaces the other, and the older may be behind.
        if waiting is not None and (tick.exchange_time_ms or 0) < (waiting.exchange_time_ms or 0):
            return
        self._latest[source, pair] = tick
        if self._turn is None:
            self._turn = asyncio.get_running_loop().call_later(TURN_S, self._begin_turn)

    def _begin_turn(self) -> None:
        self._due, self._latest = self._latest, {}
        self._hand_over()

    def _hand_over(self) -> None:
        for source, pair in list(islice(self._due, TOGETHER)):
            self._deliver(source, pair, self._due.pop((source, pair)))
        loop = asyncio.get_running_loop()
        if self._due or self._settle(TOGETHER):
            self._turn = loop.call_later(0, self._hand_over)
        else:
            self._turn = loop.call_later(TURN_S, self._begin_turn) if self._latest else None
