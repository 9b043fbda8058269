"""How often the log hears of a job's error that goes on, as while a chain is away."""

from types import SimpleNamespace
from typing import Any

from structlog.testing import capture_logs

from meshkit.clock import ManualClock
from services.oracle.jobs.job_spawner import JobSpawner


async def test_an_error_that_goes_on_is_one_line_and_a_count() -> None:
    """An error that repeats, with other numbers in it, is one line, and after ten minutes another one that counts."""
    clock, recorded = ManualClock(), list[str]()
    store: Any = SimpleNamespace(record_error=lambda _job, text: _record(recorded, text))
    nothing: Any = None
    spawner = JobSpawner(nothing, store, nothing, clock)

    with capture_logs() as logs:
        for number in range(60):
            spawner._record_soon(1, f"transmission of epoch {number} round 2 failed: no endpoint was reached")
            clock.advance(15)
        spawner._record_soon(1, "observation failed: timed out")
        await spawner.stop_all()

    said = [(line["error"], line["repeated"]) for line in logs if line["event"] == "job_error"]
    assert [("transmission of epoch 0 round 2 failed: no endpoint was reached", 0)] == said[:1]
    assert [("transmission of epoch 40 round 2 failed: no endpoint was reached", 39)] == said[1:2]
    assert "observation failed: timed out" == said[2][0]
    assert 3 == len(said)


async def _record(recorded: list[str], text: str) -> None:
    recorded.append(text)
