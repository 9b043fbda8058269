"""The runs of the jobs' pipelines."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import orjson
from aiohttp import web

from meshkit.errors import NotFound
from services.oracle import go_texts
from services.oracle.jobs.job_spawner import JobSpawner
from services.oracle.jobs.pipeline_services import PipelineRunner
from services.oracle.jobs.reading.fields import external_job_id
from services.oracle.jobs.specification import Job, WebhookJob
from services.oracle.pipeline.record import PipelineRun
from services.oracle.rest.jobs import JOB_ID_BITS, pipeline_spec
from services.oracle.rest.json_body import RAW, TEXT, content, decode
from services.oracle.rest.jsonapi import Refused, number_of, one, page, resource, timestamp, window
from services.oracle.store.runs import RunStore

_PAGE_SIZE = 1000
_RUN_ID_BITS = 64


class Runs:
    """
    Serve /v2/jobs/:id/runs and /v2/pipeline.

    A webhook job runs on request, by its UUID; every other job does too, by its number, where `may_run_any` is set,
    as in a real node that is built for development.
    """

    def __init__(self, store: RunStore, spawner: JobSpawner, runner: PipelineRunner, *, may_run_any: bool) -> None:
        self._store = store
        self._spawner = spawner
        self._runner = runner
        self._may_run_any = may_run_any

    def routes(self) -> Iterable[web.RouteDef]:
        """Return the routes."""
        return (
            web.get("/v2/jobs/{id}/runs", self._of_job),
            web.post("/v2/jobs/{id}/runs", self._start),
            web.get("/v2/jobs/{id}/runs/{run}", self._get),
            web.get("/v2/pipeline/runs", self._all),
            web.patch("/v2/resume/{id}", _resume),
            web.delete("/v2/pipeline/job_spec_errors/{error}", self._dismiss),
        )

    async def _of_job(self, request: web.Request) -> web.Response:
        number, size = window(request, _PAGE_SIZE)
        return await self._page(request, number_of(request, "id", JOB_ID_BITS), number, size)

    async def _all(self, request: web.Request) -> web.Response:
        return await self._page(request, None, *window(request, _PAGE_SIZE))

    async def _page(self, request: web.Request, job_id: int | None, number: int, size: int) -> web.Response:
        runs, count = await self._store.of_job(job_id, (number - 1) * size, size)
        return page(request, [self._resource(run) for run in runs], count, number, size)

    async def _get(self, request: web.Request) -> web.Response:
        # The node looks at the run's number only.
        run = await self._store.get(number_of(request, "run", _RUN_ID_BITS))
        if run is None:
            raise Refused(500, "sql: no rows in result set")
        return one(self._resource(run))

    async def _start(self, request: web.Request) -> web.Response:
        body = await content(request)
        try:
            wanted = external_job_id(request.match_info["id"])
        except ValueError:
            return await self._start_any(request)
        try:
            active = self._spawner.find_external(wanted)
        except NotFound as error:
            raise Refused(404, "job does not exist") from error
        if not isinstance(active.job, WebhookJob):
            raise Refused(404, "job does not exist")
        return await self._run(active.id, active.job, {"requestBody": body, "meta": None})

    async def _start_any(self, request: web.Request) -> web.Response:
        try:
            job_id = go_texts.integer(request.match_info["id"], JOB_ID_BITS)
        except ValueError as error:
            raise Refused(422, "bad job ID") from error
        if not self._may_run_any:
            raise Refused(500, "manual job runs not supported on secure builds")
        try:
            active = self._spawner.find(job_id)
        except NotFound as error:
            raise Refused(500, f"job ID {job_id}: failed to load job: sql: no rows in result set") from error
        if active.job.head.pipeline is None:
            raise Refused(500, f"job ID {job_id}: a bootstrap job has no pipeline to run")
        return await self._run(active.id, active.job, {"meta": {"latestAnswer": None, "updatedAt": None}})

    async def _run(self, job_id: int, job: Job, job_run: dict[str, Any]) -> web.Response:
        run = await self._store.save(await self._runner.run(job_id, job, job_run))
        return one(self._resource(run))

    async def _dismiss(self, request: web.Request) -> web.Response:
        if not await self._spawner.dismiss_error(number_of(request, "error", _RUN_ID_BITS)):
            raise Refused(404, "PipelineJobSpecError not found")
        return web.Response(status=204, content_type="application/vnd.api+json")

    def _resource(self, run: PipelineRun) -> dict[str, Any]:
        try:
            job = self._spawner.find(run.job_id).job
        except NotFound:
            job = None
        return resource(
            "pipelineRun",
            str(run.id),
            {
                "outputs": list(run.outputs) if any(map(bool, run.outputs)) or not run.ok else None,
                "errors": list(run.fatal_errors),
                "allErrors": [task.error for task in run.tasks or () if task.error is not None] or None,
                "fatalErrors": list(run.fatal_errors),
                "inputs": orjson.Fragment(run.inputs),
                "taskRuns": None
                if run.tasks is None
                else [
                    {
                        "type": task.kind,
                        "createdAt": _time(task.created_ms),
                        "finishedAt": _time(task.finished_ms),
                        "output": task.output,
                        "error": task.error,
                        "dotId": task.dot_id,
                    }
                    for task in run.tasks
                ],
                "createdAt": _time(run.created_ms),
                "finishedAt": _time(run.finished_ms),
                "pipelineSpec": pipeline_spec(run.job_id, job),
            },
        )


async def _resume(request: web.Request) -> web.Response:
    """Take a late answer of an adapter: no run of this node waits for one."""
    try:
        task_id = external_job_id(request.match_info["id"])
    except ValueError as error:
        raise Refused(422, str(error)) from error
    await decode(
        request, "pipeline.ResumeRequest", {"error": TEXT, "value": RAW}, 422, "failed to unmarshal JSON body: "
    )
    cause = f"failed to find pipeline run for task ID {task_id}: sql: no rows in result set"
    raise Refused(500, f"failed to update task run result: {cause}")


def _time(milliseconds: int) -> str:
    return timestamp(datetime.fromtimestamp(milliseconds / 1000, UTC))
