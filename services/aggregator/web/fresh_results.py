"""
Results of several pairs that all hold at one moment, made within a caller's longest wait.

A price may expire while another one is awaited, or while the process waits for its turn on a busy machine. Then the
other prices that are kept make the next one at once; only where they make none are the sources asked again. So an
answer comes in time however slow the process is: what has no price when the time is over is an error.
"""

from collections.abc import Collection, Iterable, Sequence

from meshkit.clock import Clock
from services.aggregator.engine.answers import QuoteAnswers
from services.aggregator.prices.errors import QuoteTimeout
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Quote, Result


class FreshResults:
    """Gather the results of one request, of all sources or of those that are named."""

    def __init__(self, answers: QuoteAnswers, clock: Clock, sources: Collection[str] | None) -> None:
        self._answers = answers
        self._clock = clock
        self._sources = sources
        self._deadline = clock.monotonic() + answers.longest_wait_s
        self._results: dict[Pair, Result] = {}

    def __getitem__(self, pair: Pair) -> Result:
        return self._results[pair]

    def missing(self, pairs: Iterable[Pair], now: float) -> list[Pair]:
        """
        Return which of the pairs must be asked for to have a result that holds at this monotonic moment.

        None must be once the time is over: those that lack one then have QuoteTimeout.
        """
        missing = [pair for pair in pairs if not _holds(self._results.get(pair), now)]
        if not missing or now < self._deadline:
            return missing
        wait_ms = int(self._answers.longest_wait_s * 1000)
        self._results.update((pair, QuoteTimeout(pair, "its sources", wait_ms)) for pair in missing)
        return []

    async def ask(self, pairs: Sequence[Pair]) -> None:
        """Wait for the results of these pairs; what of all results has expired meanwhile is made of the kept prices."""
        left_s = self._deadline - self._clock.monotonic() if self._results else None
        self._results.update(await self._answers.quotes(pairs, sources=self._sources, timeout_s=left_s))
        now = self._clock.monotonic()
        for pair, result in self._results.items():
            if not _holds(result, now):
                self._results[pair] = self._answers.kept(pair, self._sources) or result


def _holds(result: Result | None, now: float) -> bool:
    return result.expires_at > now if isinstance(result, Quote) else result is not None
