"""What one source's stream says, gathered for a moment and handed on bit by bit; no other source waits for it."""

import asyncio
from collections.abc import Callable
from itertools import islice

from meshkit.log import get_logger
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.sources.source import TickOutcome

_log = get_logger(__name__)

# A busy exchange sends twenty prices a second of a pair; only the last of each turn is worth the work.
TURN_S = 0.05
# So many of them are handed over before whatever else waits has its turn: a millisecond's work or two.
TOGETHER = 10


class Turn:
    """
    Gather what a source's stream says of its pairs.

    Args:
        deliver: Called with the latest outcome of a pair, at most once a turn.
        settle: Called after each few of them, to do so many steps of what follows; it tells whether there are more.
        on_crash: Called when one of these two raised, which is a defect of ours and costs the pair at hand only.
    """

    def __init__(
        self,
        source: str,
        *,
        deliver: Callable[[str, Pair, TickOutcome], None],
        settle: Callable[[int], bool],
        on_crash: Callable[[], None],
    ) -> None:
        self._source = source
        self._deliver = deliver
        self._settle = settle
        self._on_crash = on_crash
        self._latest: dict[Pair, TickOutcome] = {}
        self._due: dict[Pair, TickOutcome] = {}
        self._timer: asyncio.TimerHandle | None = None

    def gather(self, pair: Pair, outcome: TickOutcome) -> None:
        """Keep an outcome for the next turn in the place of an earlier one of its pair."""
        waiting = self._latest.get(pair)
        # Two connections overlap while one replaces the other, and the older may be behind.
        if isinstance(waiting, Tick) and isinstance(outcome, Tick) and outcome.order_ms < waiting.order_ms:
            return
        self._latest[pair] = outcome
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(TURN_S, self._begin)

    def close(self) -> None:
        """Hand nothing over any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _begin(self) -> None:
        self._due, self._latest = self._latest, {}
        self._hand_over()

    def _hand_over(self) -> None:
        for pair in list(islice(self._due, TOGETHER)):
            outcome = self._due.pop(pair)
            try:
                self._deliver(self._source, pair, outcome)
            except Exception:
                _log.exception("stream_price_crashed", source=self._source, pair=str(pair))
                self._on_crash()
        loop = asyncio.get_running_loop()
        if self._due or self._settles():
            self._timer = loop.call_later(0, self._hand_over)
        else:
            self._timer = loop.call_later(TURN_S, self._begin) if self._latest else None

    def _settles(self) -> bool:
        try:
            return self._settle(TOGETHER)
        except Exception:
            _log.exception("stream_turn_crashed", source=self._source)
            self._on_crash()
            return False
