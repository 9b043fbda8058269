"""What is known about a running job."""

import asyncio
from collections import Counter

from meshkit.metrics import Registry
from services.oracle.jobs.job_status import JobStatus, OracleStatus
from services.oracle.jobs.round_events import RoundEvents
from services.oracle.metrics import METRICS, OracleMetrics
from services.oracle.ocr.state import Trace, TraceKind


def trace(round_number: int, kind: TraceKind = TraceKind.ROUND_STARTED, **more: str) -> Trace:
    """Return an event of a round of epoch 1, led by oracle 2."""
    return Trace(kind, 1, round_number, 1000 * round_number, 2, **more)  # type: ignore[arg-type]


async def test_an_oracle_follows_its_rounds() -> None:
    """The status shows the current round and the last failure, until a report was made after it; others hear of it."""
    said: list[str] = []
    registry, rounds = Registry(METRICS), RoundEvents()
    status = OracleStatus(4, "BTC / USD", OracleMetrics(registry), rounds)
    status.on_error = said.append
    watch = rounds.watch()
    first = asyncio.ensure_future(anext(watch))
    await asyncio.sleep(0)
    status.begin_session(bytes(16), 0, Counter())
    status.follow(trace(3))
    status.observation_failed("no price")
    assert (1, 3, 2, "observation failed: no price") == (status.epoch, status.round, status.leader, status.last_error)
    assert ("BTC / USD", 3) == ((await first).job_name, 3)

    status.follow(trace(3, TraceKind.FINAL))
    assert "" == status.last_error
    status.follow(trace(3, TraceKind.TRANSMISSION_FAILED, detail="stale report"))
    assert "transmission of epoch 1 round 3 failed: stale report" == status.last_error
    assert 2 == len(said)
    status.observed(65)
    assert 65 == status.last_observation
    text = registry.render().decode()
    assert 'ocr_median_values{job_id="4",job_name="BTC / USD"} 65' in text
    assert 'pipeline_run_errors{job_id="4",job_name="BTC / USD"} 1' in text

    status.close()
    assert "BTC" not in registry.render().decode()
    await watch.aclose()


def test_a_pinned_feed_is_shown() -> None:
    """While the contract does not take the answer the status says why, whatever else happens, and a metric is 1."""
    registry = Registry(METRICS)
    status = OracleStatus(4, "BTC / USD", OracleMetrics(registry), RoundEvents())
    shown = 'feedmesh_oracle_pinned{job_name="BTC / USD"} '
    assert f"{shown}0" in registry.render().decode()
    status.pin("the answer 5 is outside")
    status.follow(trace(3, TraceKind.FINAL))
    assert "the answer 5 is outside" == status.pinned
    assert f"{shown}1" in registry.render().decode()
    status.pin("")
    assert ("", True) == (status.pinned, f"{shown}0" in registry.render().decode())


def test_sessions() -> None:
    """Between two configurations a job has neither a digest nor a place among oracles."""
    status = JobStatus("BTC / USD")
    status.begin_session(bytes(16), 3, Counter(a=1))
    assert ("00" * 16, 3, 1) == (status.config_digest, status.oracle_index, status.counters["a"])
    status.end_session()

    assert ("", None) == (status.config_digest, status.oracle_index)
    status.fail("nobody listens")
    assert "nobody listens" == status.last_error
