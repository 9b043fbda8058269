"""Pipelines that run by a schedule, or on request."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator

import aiohttp
import pytest

from meshkit.clock import ManualClock
from services.oracle.jobs.observation_source import ObservationSources
from services.oracle.jobs.pipeline_services import CronService, PipelineRunner, WebhookService
from services.oracle.jobs.schedule import Schedule
from services.oracle.jobs.specification import CronJob, Head, WebhookJob
from services.oracle.pipeline.fetch import Fetcher
from services.oracle.pipeline.graph import Pipeline
from services.oracle.round_records.recorder import RoundRecorder
from services.oracle.round_records.store import RoundStore
from services.oracle.store.bridge_answers import BridgeAnswerStore
from services.oracle.store.database import Database
from services.oracle.store.jobs import JobStore
from services.oracle.store.last_observations import LastObservationStore
from services.oracle.store.runs import RunStore
from tests.waiting import until

_ID = uuid.UUID(int=7)
_PIPELINE = Pipeline.parse('a [type=uppercase input="$(jobSpec.name)"]')


@pytest.fixture(name="sources")
async def _sources(database: Database) -> AsyncIterator[ObservationSources]:
    """Give sources without bridges."""
    clock = ManualClock(0)
    async with aiohttp.ClientSession() as session:
        fetcher = Fetcher(session, lambda _: None, default_timeout_s=5, max_bytes=4096, bridge_cache_ttl_s=0)
        answers = BridgeAnswerStore(database, clock)
        recorder = RoundRecorder(RoundStore(database, clock), clock)
        last, runs = LastObservationStore(database), RunStore(database, 9)
        yield ObservationSources(fetcher, recorder, answers, last, runs, clock)


async def test_runs_by_a_schedule(database: Database, sources: ObservationSources) -> None:
    """The pipeline runs at each time of the schedule, knows its job, and its good runs are kept without tasks."""
    stored = await JobStore(database).create(_ID, "feed", None, "", None)
    job = CronJob(Head("cron", _ID, "feed", pipeline=_PIPELINE), _PIPELINE, Schedule.parse("@every 10s"), 1337)
    service = CronService(stored.id, job, PipelineRunner(sources))
    running = asyncio.create_task(service.run())
    clock = sources.clock
    assert isinstance(clock, ManualClock)

    async def ran_twice() -> bool:
        clock.advance(10)
        return (await sources.runs.of_job(stored.id, 0, 9))[1] >= 2

    await until(ran_twice, "two runs are kept")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    runs, _ = await sources.runs.of_job(stored.id, 0, 2)
    assert [("FEED",), ("FEED",)] == [run.outputs for run in runs]
    assert [None, None] == [run.tasks for run in runs]
    shown = json.loads(runs[0].inputs)["jobSpec"]
    assert ("feed", "1337", f"0x{_ID.hex}") == (shown["name"], shown["evmChainID"], shown["externalJobID"])
    assert "" == service.status.last_error


async def test_a_run_on_request(database: Database, sources: ObservationSources) -> None:
    """A webhook's run has what was asked with, is kept with all its tasks, and has a number."""
    pipeline = Pipeline.parse('a [type=jsonparse data="$(jobRun.requestBody)" path="x"]')
    job = WebhookJob(Head("webhook", _ID, pipeline=pipeline), pipeline)
    stored = await JobStore(database).create(_ID, None, None, "", None)
    run = await PipelineRunner(sources).run(stored.id, job, {"requestBody": '{"x": 7}', "meta": None})
    saved = await sources.runs.save(run)

    assert (("7",), ["a"]) == (saved.outputs, [task.dot_id for task in saved.tasks or ()])
    assert saved == await sources.runs.get(saved.id)
    assert str(_ID) == WebhookService(job).status.label
