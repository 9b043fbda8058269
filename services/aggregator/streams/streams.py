"""All streams: what each is to carry, and a turn for the prices of each."""

import asyncio
from collections.abc import Callable, Iterable, Mapping

from services.aggregator.prices.pair import Pair
from services.aggregator.sources.source import TickOutcome
from services.aggregator.streams.source_stream import SourceStream, StreamState
from services.aggregator.streams.turn import Turn

# Pairs that are registered within this time share a message.
GATHER_S = 0.1


class Streams:
    """
    Keep each stream at what is registered.

    Args:
        pairs: Return the pairs of a source that are registered now.
        deliver: Called with the latest price of a pair, or why there is none, at most once a turn.
        settle: Called when the prices of a turn are delivered, to do so many steps of what follows from them; it tells
            whether there are more.
    """

    def __init__(
        self,
        streams: Iterable[SourceStream],
        *,
        pairs: Callable[[str], Iterable[Pair]],
        deliver: Callable[[str, Pair, TickOutcome], None],
        settle: Callable[[int], bool] = lambda _most: False,
    ) -> None:
        self._streams: Mapping[str, SourceStream] = {stream.source: stream for stream in streams}
        self._turns: Mapping[str, Turn] = {
            name: Turn(name, deliver=deliver, settle=settle, on_crash=stream.count_crash)
            for name, stream in self._streams.items()
        }
        self._pairs = pairs
        self._changed: set[str] = set()
        self._gathering: asyncio.TimerHandle | None = None
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
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None
        for turn in self._turns.values():
            turn.close()
        await asyncio.gather(*(stream.close() for stream in self._streams.values()))

    def _apply(self) -> None:
        self._gathering = None
        changed, self._changed = self._changed, set()
        for source in changed:
            self._streams[source].want(self._pairs(source))

    def _gather_price(self, source: str, pair: Pair, outcome: TickOutcome) -> None:
        self._turns[source].gather(pair, outcome)
