"""Runs by request, where any job may be run."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from chainlink.jobs import JobSpec
from meshkit.errors import NotFound
from services.oracle.jobs.job_spawner import ActiveJob
from services.oracle.jobs.job_status import JobStatus
from services.oracle.jobs.specification import BootstrapJob, Head, Job, OracleJob, Timings
from services.oracle.pipeline.graph import Pipeline
from services.oracle.pipeline.record import PipelineRun, TaskRun
from services.oracle.rest.jsonapi import Refused
from services.oracle.rest.runs import Runs
from services.oracle.store.jobs import StoredJob

_ID = uuid.UUID(int=7)
_TIMINGS = Timings(5, 1, 1, 1, 1, 1, 1, 1, 1)
_SPEC = JobSpec(contract_address="0xC", chain_id=1337, is_bootstrap=False)
_PIPELINE = Pipeline.parse("a [type=memo value=1]")
_ORACLE = OracleJob(Head("offchainreporting", _ID, pipeline=_PIPELINE), _SPEC, _TIMINGS, "", None, _PIPELINE, 0, 1)
_BOOTSTRAP = BootstrapJob(Head("offchainreporting", _ID), _SPEC, _TIMINGS)


@dataclass
class Jobs:
    """Stand for the jobs 1, an oracle's, and 2, a bootstrap one; keep what was run."""

    ran: list[tuple[int, dict[str, Any]]] = field(default_factory=list)

    def find(self, job_id: int) -> ActiveJob:
        """Return the job of a number."""
        if job_id not in (1, 2):
            raise NotFound("JobSpec", str(job_id))
        job: Job = _ORACLE if job_id == 1 else _BOOTSTRAP
        return ActiveJob(StoredJob(job_id, _ID, datetime.now(UTC)), job, JobStatus(""))

    def find_external(self, _: uuid.UUID) -> ActiveJob:
        """Return the oracle's job."""
        return self.find(1)

    async def run(self, job_id: int, _: Job, job_run: dict[str, Any]) -> PipelineRun:
        """Return a good run."""
        self.ran.append((job_id, job_run))
        return PipelineRun(job_id, 1, 2, "{}", ("1",), (None,), (TaskRun("a", "memo", 1, 2, "1", None),))

    async def save(self, run: PipelineRun) -> PipelineRun:
        """Return the run."""
        return run


@pytest.fixture(name="jobs")
def _jobs() -> Jobs:
    """Give two jobs."""
    return Jobs()


@pytest.fixture(name="client")
async def _client(jobs: Jobs) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    """Give a client of a node that runs any job."""

    @web.middleware
    async def refusals(request: web.Request, handler: Any) -> web.StreamResponse:
        try:
            answer: web.StreamResponse = await handler(request)
            return answer
        except Refused as error:
            return web.Response(status=error.status, text=error.detail)

    app = web.Application(middlewares=(refusals,))
    app.add_routes(Runs(jobs, jobs, jobs, may_run_any=True).routes())  # type: ignore[arg-type]
    async with TestClient(TestServer(app)) as client:
        yield client


async def test_any_job_runs(client: TestClient[web.Request, web.Application], jobs: Jobs) -> None:
    """A feed's job runs by its number and answers the run; its round's own values are none."""
    answer = await client.post("/v2/jobs/1/runs")
    run = (await answer.json(content_type=None))["data"]

    assert (200, "pipelineRun", ["1"]) == (answer.status, run["type"], run["attributes"]["outputs"])
    assert "a" == run["attributes"]["taskRuns"][0]["dotId"]
    assert [(1, {"meta": {"latestAnswer": None, "updatedAt": None}})] == jobs.ran


@pytest.mark.parametrize(
    ("job", "status", "text"),
    [
        ("2", 500, "job ID 2: a bootstrap job has no pipeline to run"),
        ("3", 500, "job ID 3: failed to load job: sql: no rows in result set"),
        ("x", 422, "bad job ID"),
        (str(_ID), 404, "job does not exist"),
    ],
)
async def test_what_cannot_run(
    client: TestClient[web.Request, web.Application], jobs: Jobs, job: str, status: int, text: str
) -> None:
    """A job without a pipeline, one that is not there, and by its UUID any that is no webhook: refused, not run."""
    answer = await client.post(f"/v2/jobs/{job}/runs")

    assert (status, text) == (answer.status, await answer.text())
    assert [] == jobs.ran
