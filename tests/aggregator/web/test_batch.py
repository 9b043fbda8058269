"""Batches: the time that an answer tells, on a machine that is held up between any two looks at the clock."""

import asyncio
import json
from datetime import datetime

from meshkit.clock import ManualClock
from services.aggregator.engine.engine import Engine
from services.aggregator.metrics import open_registry
from services.aggregator.prices.quote import Quote
from services.aggregator.web.batch import BatchRoute, present
from tests.aggregator.bench import rendered_quotes
from tests.aggregator.fakes import BTC, ScriptedSource, settings

TTL_MS = 10_000
START_MS = 1_800_000_000_000


class HeldUp(ManualClock):
    """A clock on which `pause_s` pass whenever it is read; `held_s` is the sum of these pauses."""

    pause_s = held_s = 0.0

    def time_ms(self) -> int:
        """Return the time after a pause."""
        self.held_s += self.pause_s
        return super().time_ms() + round(self.held_s * 1000)

    def monotonic(self) -> float:
        """Return the moment after a pause."""
        self.held_s += self.pause_s
        return super().monotonic() + self.held_s


async def test_no_price_is_older_than_its_time_to_live_when_the_answer_says_it_is() -> None:
    """Kept batches and bridges' quotes tell a time at which all of their prices were fresh, up to their very end."""
    clock = HeldUp(START_MS)
    source = ScriptedSource("kraken", 1, {BTC: "100"})
    engine = Engine(settings("kraken", refetch=False, feeds={BTC: {"kraken": BTC}}), [source], clock, open_registry())
    asked = asyncio.create_task(engine.answers.quote(BTC))
    while not asked.done():
        await asyncio.sleep(0)
        clock.advance(0.01)
    (used,) = asked.result().sources
    route = BatchRoute(engine.answers, rendered_quotes(engine, clock), engine.sources, clock)
    batch = route.read("BTC-USD", None, None)
    ages_ms = []
    clock.advance(used.expires_at - clock.monotonic() - 2)
    # Kept prices first, since a quote that is made anew would take their place; each clock begins two seconds early.
    for held_ms in range(0, 2_000, 10):
        clock.pause_s, clock.held_s = 0.3, held_ms / 1000
        if (answer := route.rendered(batch)) is not None:
            stamp = datetime.fromisoformat(json.loads(answer)["timestamp"])
            ages_ms.append(round(stamp.timestamp() * 1000) - used.received_ms)
    for held_ms in range(0, 2_000, 10):
        clock.pause_s, clock.held_s = 0.3, held_ms / 1000
        said = asyncio.create_task(present(engine.answers, engine.sources, clock, [BTC], None))
        for _ in range(5):
            await asyncio.sleep(0)
        if said.done():
            now_ms, ((_, result),) = said.result()
            assert isinstance(result, Quote)
            if result.sources != (used,):
                break
            ages_ms.append(now_ms - used.received_ms)
        said.cancel()
    clock.pause_s = 0
    await engine.close()

    assert len(ages_ms) > 100
    assert max(ages_ms) < TTL_MS
