"""The jobs."""

from collections.abc import Iterable, Sequence
from typing import Any

from aiohttp import web

from meshkit.errors import NotFound
from services.oracle.jobs.job_spawner import LARGEST_JOB_ID, ActiveJob, JobSpawner
from services.oracle.rest.jsonapi import Refused, body, many, natural, one, resource, timestamp
from services.oracle.store.jobs import JobError

_PAGE_SIZE = 1000


class Jobs:
    """Serve /v2/jobs."""

    def __init__(self, spawner: JobSpawner) -> None:
        self._spawner = spawner

    def routes(self) -> Iterable[web.RouteDef]:
        """Return the routes."""
        return (
            web.get("/v2/jobs", self._list),
            web.post("/v2/jobs", self._create),
            web.get("/v2/jobs/{id}", self._get),
            web.put("/v2/jobs/{id}", self._replace),
            web.delete("/v2/jobs/{id}", self._delete),
        )

    async def _list(self, request: web.Request) -> web.Response:
        items = [_resource(active, await self._spawner.errors(active.id)) for active in self._spawner.all()]
        return many(request, items, size=_PAGE_SIZE)

    async def _get(self, request: web.Request) -> web.Response:
        try:
            active = self._spawner.find(request.match_info["id"])
        except NotFound as error:
            raise Refused(404, "job not found") from error
        except ValueError as error:
            raise Refused(
                422, f'strconv.ParseInt: parsing "{request.match_info["id"][:40]}": invalid syntax'
            ) from error
        return one(_resource(active, await self._spawner.errors(active.id)))

    async def _create(self, request: web.Request) -> web.Response:
        active = await self._spawner.create(await _toml(request))
        return one(_resource(active, ()))

    async def _replace(self, request: web.Request) -> web.Response:
        job_id, toml = job_number(request), await _toml(request)
        self._spawner.check(toml)
        await self._remove(job_id)
        return one(_resource(await self._spawner.create(toml, job_id), ()))

    async def _delete(self, request: web.Request) -> web.Response:
        await self._remove(job_number(request))
        return web.Response(status=204)

    async def _remove(self, job_id: int) -> None:
        try:
            await self._spawner.delete(job_id)
        except NotFound as error:
            raise Refused(404, "JobSpec not found") from error


def job_number(request: web.Request) -> int:
    """Return the number of the job in the path; 422 if it is none."""
    text = request.match_info["id"]
    number = natural(text, LARGEST_JOB_ID)
    if number is None:
        raise Refused(422, f'strconv.ParseInt: parsing "{text[:40]}": invalid syntax')
    return number


async def _toml(request: web.Request) -> str:
    toml = (await body(request)).get("toml")
    if not isinstance(toml, str):
        raise Refused(422, "toml: found nothing, allowed: the text of a job specification")
    return toml


def _resource(active: ActiveJob, errors: Sequence[JobError]) -> dict[str, Any]:
    created = timestamp(active.stored.created_at)
    attributes = active.job.spec.attributes()
    attributes["offChainReportingOracleSpec"] |= {"createdAt": created, "updatedAt": created}
    return resource(
        "jobs",
        str(active.id),
        {
            **attributes,
            "forwardingAllowed": False,
            "offChainReporting2OracleSpec": None,
            "bootstrapSpec": None,
            "pipelineSpec": {
                "id": active.id,
                "jobID": active.id,
                "dotDagSource": active.job.spec.observation_source or "",
            },
            "errors": [
                {
                    "id": error.id,
                    "description": error.description,
                    "occurrences": error.occurrences,
                    "createdAt": timestamp(error.created_at),
                    "updatedAt": timestamp(error.updated_at),
                }
                for error in errors
            ],
        },
    )
