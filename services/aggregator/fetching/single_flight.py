"""
Join equal fetches, and gather those of a short time into batches.

    join(pair) ──▶ waiting ──window──▶ batch ──source──▶ outcome ──▶ every caller that joined

A fetch goes on when its callers have left: its outcome fills the cache. A pair is in at most one fetch.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from meshkit.clock import Clock
from meshkit.errors import MeshError, Unavailable
from meshkit.log import get_logger
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import SourceOutcome

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PendingFetch:
    """
    Hold one fetch of one pair.

    Attributes:
        started_at: When the first caller asked, on the monotonic clock.
        outcome: The quote or the error; it never raises and is never cancelled before the service stops.
    """

    started_at: float
    outcome: asyncio.Future[SourceOutcome]


class SingleFlight:
    """
    Run the fetches of one source.

    Args:
        fetch: Return the outcome of each pair of a batch; it must not raise.
        fill: Return up to so many further pairs (not those given) that the batch should carry as well.
        window_s: How long the first pair waits for company.
    """

    def __init__(
        self,
        fetch: Callable[[Sequence[Pair]], Awaitable[Mapping[Pair, SourceOutcome]]],
        fill: Callable[[int, Collection[Pair]], Sequence[Pair]],
        clock: Clock,
        *,
        max_batch: int,
        window_s: float,
    ) -> None:
        self._fetch = fetch
        self._fill = fill
        self._clock = clock
        self._max_batch = max_batch
        self._window_s = window_s
        self._pending: dict[Pair, PendingFetch] = {}
        self._waiting: list[Pair] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def join(self, pair: Pair) -> PendingFetch:
        """Return the fetch of a pair that is under way, a new one if there is none."""
        pending = self._pending.get(pair)
        if pending is None:
            pending = self._open(pair)
            self._waiting.append(pair)
            if len(self._waiting) == 1:
                self._spawn(self._send())
        return pending

    async def close(self) -> None:
        """Cancel all fetches and return when they have ended."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for pair, pending in self._pending.items():
            pending.outcome.set_result(_ended(pair))
        self._pending.clear()

    async def _send(self) -> None:
        """Divide the waiting pairs into batches once the window is over, and fill the last one up."""
        if self._max_batch > 1:
            await self._clock.sleep(self._window_s)
        pairs, self._waiting = self._waiting, []
        if room := -len(pairs) % self._max_batch:
            for pair in self._fill(room, self._pending.keys()):
                self._open(pair)
                pairs.append(pair)
        for start in range(0, len(pairs), self._max_batch):
            self._spawn(self._run(pairs[start : start + self._max_batch]))

    async def _run(self, pairs: Sequence[Pair]) -> None:
        outcomes: Mapping[Pair, SourceOutcome] = {}
        try:
            outcomes = await self._fetch(pairs)
        except Exception:
            _log.exception("fetch_crashed", pairs=[str(pair) for pair in pairs])
        finally:
            for pair in pairs:
                outcome = self._pending.pop(pair).outcome
                if not outcome.done():
                    outcome.set_result(outcomes.get(pair) or _ended(pair))

    def _open(self, pair: Pair) -> PendingFetch:
        pending = PendingFetch(self._clock.monotonic(), asyncio.get_running_loop().create_future())
        self._pending[pair] = pending
        return pending

    def _spawn(self, work: "asyncio._CoroutineLike[None]") -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _ended(pair: Pair) -> MeshError:
    return Unavailable(f"the fetch of {pair} ended without an outcome")
