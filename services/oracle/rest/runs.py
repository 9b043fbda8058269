"""The runs of the jobs' pipelines."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import orjson
from aiohttp import web

from services.oracle.jobs.job_spawner import JobSpawner
from services.oracle.jobs.specification import OracleJob
from services.oracle.pipeline.record import PipelineRun
from services.oracle.rest.jobs import job_number
from services.oracle.rest.jsonapi import Refused, natural, one, page, resource, window
from services.oracle.store.runs import RunStore

_PAGE_SIZE = 1000
_LARGEST_ID = 2**63 - 1


class Runs:
    """Serve /v2/jobs/:id/runs and /v2/pipeline."""

    def __init__(self, store: RunStore, spawner: JobSpawner) -> None:
        self._store = store
        self._spawner = spawner

    def routes(self) -> Iterable[web.RouteDef]:
        """Return the routes."""
        return (
            web.get("/v2/jobs/{id}/runs", self._of_job),
            web.post("/v2/jobs/{id}/runs", self._start),
            web.get("/v2/jobs/{id}/runs/{run}", self._get),
            web.get("/v2/pipeline/runs", self._all),
            web.get("/v2/pipeline/runs/{run}", self._get),
            web.delete("/v2/pipeline/job_spec_errors/{error}", self._dismiss),
        )

    async def _of_job(self, request: web.Request) -> web.Response:
        return await self._page(request, job_number(request))

    async def _all(self, request: web.Request) -> web.Response:
        return await self._page(request, None)

    async def _page(self, request: web.Request, job_id: int | None) -> web.Response:
        number, size = window(request, _PAGE_SIZE)
        runs, count = await self._store.of_job(job_id, (number - 1) * size, size)
        return page(request, [self._resource(run) for run in runs], count, number, size)

    async def _get(self, request: web.Request) -> web.Response:
        run = await self._store.get(_number(request, "run"))
        if run is None or ("id" in request.match_info and run.job_id != job_number(request)):
            raise Refused(404, "run not found")
        return one(self._resource(run))

    async def _start(self, request: web.Request) -> web.Response:
        raise Refused(500, "manual job runs not supported on secure builds")

    async def _dismiss(self, request: web.Request) -> web.Response:
        if not await self._spawner.dismiss_error(_number(request, "error")):
            raise Refused(404, "JobSpecError not found")
        return web.Response(status=204)

    def _resource(self, run: PipelineRun) -> dict[str, Any]:
        job = next((active.job for active in self._spawner.all() if active.id == run.job_id), None)
        return resource(
            "pipelineRun",
            str(run.id),
            {
                "outputs": list(run.outputs) if any(map(bool, run.outputs)) or not run.ok else None,
                "errors": list(run.fatal_errors),
                "fatalErrors": list(run.fatal_errors),
                "allErrors": [task.error for task in run.tasks if task.error is not None],
                "inputs": orjson.Fragment(run.inputs),
                "taskRuns": [
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
                "pipelineSpec": {
                    "id": run.job_id,
                    "jobID": run.job_id,
                    "dotDagSource": job.pipeline.source if isinstance(job, OracleJob) else "",
                },
            },
        )


def _number(request: web.Request, name: str) -> int:
    text = request.match_info[name]
    number = natural(text, _LARGEST_ID)
    if number is None:
        raise Refused(422, f"{name}: {text[:40]!r} is no number")
    return number


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat()
