"""The jobs."""

from collections.abc import Iterable, Sequence
from typing import Any

from aiohttp import web

from chainlink.units import format_duration_ns
from meshkit.errors import NotFound
from services.oracle.jobs.job_spawner import ActiveJob, JobSpawner
from services.oracle.jobs.reading.fields import external_job_id
from services.oracle.jobs.specification import BootstrapJob, CronJob, Job, OracleJob, WebhookJob
from services.oracle.rest.json_body import TEXT, decode
from services.oracle.rest.jsonapi import Refused, number_of, one, page, resource, timestamp, window
from services.oracle.store.jobs import JobError

JOB_ID_BITS = 32
_PAGE_SIZE = 1000
# What a job of each type has is under its own name; the others are null.
_SPECS = (
    *("directRequestSpec", "fluxMonitorSpec", "cronSpec", "offChainReportingOracleSpec"),
    *("offChainReporting2OracleSpec", "keeperSpec", "vrfSpec", "webhookSpec", "blockhashStoreSpec"),
    *("blockHeaderFeederSpec", "bootstrapSpec", "gatewaySpec", "workflowSpec", "standardCapabilitiesSpec", "ccipSpec"),
)


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
        number, size = window(request, _PAGE_SIZE)
        # As in the real node: the newest first.
        jobs = sorted(self._spawner.all(), key=lambda job: (job.stored.created_at, job.id), reverse=True)
        shown = jobs[(number - 1) * size : number * size]
        errors = await self._spawner.errors_of(shown)
        return page(request, [_resource(job, errors.get(job.id, ())) for job in shown], len(jobs), number, size)

    async def _get(self, request: web.Request) -> web.Response:
        try:
            active = self._find(request)
        except NotFound as error:
            raise Refused(404, "job not found") from error
        return one(_resource(active, await self._spawner.errors(active.id)))

    def _find(self, request: web.Request) -> ActiveJob:
        try:
            wanted = external_job_id(request.match_info["id"])
        except ValueError:
            return self._spawner.find(number_of(request, "id", JOB_ID_BITS))
        return self._spawner.find_external(wanted)

    async def _create(self, request: web.Request) -> web.Response:
        active = await self._spawner.create(await _toml(request, "web.CreateJobRequest"))
        return one(_resource(active, ()))

    async def _replace(self, request: web.Request) -> web.Response:
        toml = await _toml(request, "web.UpdateJobRequest")
        job = self._spawner.read(toml)
        job_id = number_of(request, "id", JOB_ID_BITS)
        try:
            self._spawner.find(job_id)
            # A real node deletes first, and may be left without either.
            self._spawner.check(job)
            await self._spawner.delete(job_id)
        except NotFound as error:
            cause = "findJob failed: failed to load job: sql: no rows in result set"
            raise Refused(404, f"failed to update job: job {job_id} not found: {cause}") from error
        return one(_resource(await self._spawner.store_and_start(job, toml, job_id), ()))

    async def _delete(self, request: web.Request) -> web.Response:
        job_id = number_of(request, "id", JOB_ID_BITS)
        if not job_id:
            raise Refused(500, "will not delete job with 0 ID")
        try:
            await self._spawner.delete(job_id)
        except NotFound as error:
            raise Refused(404, "JobSpec not found") from error
        return web.Response(status=204, content_type="application/vnd.api+json")


async def _toml(request: web.Request, kind: str) -> str:
    return (await decode(request, kind, {"toml": TEXT}))["toml"] or ""


def pipeline_spec(job_id: int, job: Job | None) -> dict[str, Any]:
    """Return what is shown of a job's pipeline."""
    pipeline = None if job is None else job.head.pipeline
    return {"id": job_id, "jobID": job_id, "dotDagSource": "" if pipeline is None else pipeline.source}


def _resource(active: ActiveJob, errors: Sequence[JobError]) -> dict[str, Any]:
    head = active.job.head
    return resource(
        "jobs",
        str(active.id),
        {
            "name": head.name or "",
            "type": head.kind,
            "schemaVersion": 1,
            "gasLimit": head.gas_limit,
            "forwardingAllowed": head.forwarding_allowed,
            "maxTaskDuration": format_duration_ns(head.max_task_ns),
            "externalJobID": str(head.external_job_id),
            **({} if head.stream_id is None else {"streamID": head.stream_id}),
            **dict.fromkeys(_SPECS),
            **_spec(active.job, timestamp(active.stored.created_at)),
            "pipelineSpec": pipeline_spec(active.id, active.job),
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


def _spec(job: Job, created: str) -> dict[str, Any]:
    times = {"createdAt": created, "updatedAt": created}
    match job:
        case CronJob(schedule=schedule, evm_chain_id=chain_id):
            chain = None if chain_id is None else str(chain_id)
            return {"cronSpec": {"schedule": schedule.text, "evmChainID": chain, **times}}
        case WebhookJob():
            return {"webhookSpec": times}
        case _:
            return {"offChainReportingOracleSpec": ocr_spec(job) | times}


def ocr_spec(job: OracleJob | BootstrapJob) -> dict[str, Any]:
    """Return an OCR job as it was written: what it leaves to the node is 0 or null, whatever that is in force."""
    spec = job.spec
    return {
        "contractAddress": spec.contract_address,
        "p2pv2Bootstrappers": list(spec.bootstrappers),
        "isBootstrapPeer": spec.is_bootstrap,
        "keyBundleID": spec.key_bundle_id,
        "transmitterAddress": spec.transmitter_address,
        "observationTimeout": format_duration_ns(spec.observation_timeout_ns or 0),
        "blockchainTimeout": format_duration_ns(spec.blockchain_timeout_ns or 0),
        "contractConfigTrackerSubscribeInterval": format_duration_ns(spec.config_subscribe_interval_ns or 0),
        "contractConfigTrackerPollInterval": format_duration_ns(spec.config_poll_interval_ns or 0),
        "contractConfigConfirmations": spec.config_confirmations or 0,
        "evmChainID": str(spec.chain_id),
        "databaseTimeout": _given(spec.database_timeout_ns),
        "observationGracePeriod": _given(spec.observation_grace_period_ns),
        "contractTransmitterTransmitTimeout": _given(spec.transmit_timeout_ns),
    }


def _given(duration_ns: int | None) -> str | None:
    return None if duration_ns is None else format_duration_ns(duration_ns)
