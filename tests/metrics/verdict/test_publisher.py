import asyncio
from pathlib import Path
from typing import cast

from cli import health
from meshkit.clock import ManualClock
from meshkit.paths import RunDir
from services.metrics.verdict.observer import MeshObserver
from services.metrics.verdict.publisher import PERIOD_S, VerdictPublisher
from services.metrics.verdict.verdict import FeedSeen, Limits, Observation, ServiceSeen, SourceSeen


class _Seen:
    """Give one observation after the other."""

    def __init__(self) -> None:
        self.now = Observation(
            [ServiceSeen(f"chainlink-node-{index}", "healthy", True) for index in range(2, 6)],
            [SourceSeen("binance", True)],
            [FeedSeen("BTC / USD", True, 1.0)],
            {},
        )
        self.looks = asyncio.Event()

    async def look(self) -> Observation:
        self.looks.set()
        return self.now


async def test_a_verdict_is_written_again_and_again(tmp_path: Path) -> None:
    """The file follows what is seen, and the check reads it as it was meant, until it is old."""
    clock, seen, run_dir = ManualClock(1_782_000_000_000), _Seen(), RunDir(tmp_path)
    limits = Limits(frozenset(f"chainlink-node-{index}" for index in range(2, 6)), 100, 60)
    publisher = VerdictPublisher(cast(MeshObserver, seen), run_dir, limits, clock)
    running = asyncio.create_task(publisher.run())
    try:
        await _next(seen, clock, 0)
        assert health.read(run_dir.verdict, clock.time_ms()) == (True, "every feed is answered")

        seen.now = Observation(seen.now.services, [SourceSeen("binance", False)], seen.now.feeds, {})
        await _next(seen, clock, PERIOD_S)
        assert health.read(run_dir.verdict, clock.time_ms()) == (False, "all 1 price sources are away")
        clock_ms = clock.time_ms()
    finally:
        running.cancel()
        await asyncio.wait({running})
    assert health.read(run_dir.verdict, clock_ms + 31_000) == (
        False,
        "the last verdict is 31 s old: process-metrics does not judge any more",
    )


async def _next(seen: _Seen, clock: ManualClock, seconds: float) -> None:
    seen.looks.clear()
    clock.advance(seconds)
    await seen.looks.wait()
    # The look, the judgement and the file are one step of the loop; one more turn has them behind it.
    for _ in range(3):
        await asyncio.sleep(0)
