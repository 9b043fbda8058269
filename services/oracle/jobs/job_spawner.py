"""The running jobs of a node: started from the database at its start, and from the REST API after it."""

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from meshkit import log
from meshkit.clock import Clock
from meshkit.errors import MeshError, NotFound
from services.oracle.errors import DatabaseUnavailable, JobInvalid, JobNotStarted, JobRefused
from services.oracle.jobs.bootstrap_service import BootstrapDelegate
from services.oracle.jobs.job_status import JobStatus
from services.oracle.jobs.oracle_service import OracleDelegate
from services.oracle.jobs.pipeline_services import CronService, PipelineRunner, WebhookService
from services.oracle.jobs.reading import job_reader
from services.oracle.jobs.specification import BootstrapJob, CronJob, Job, OracleJob, WebhookJob
from services.oracle.keys.sealed_keyring import Keyring
from services.oracle.pipeline.graph import Pipeline
from services.oracle.settings import Config
from services.oracle.store.bridges import BridgeStore
from services.oracle.store.jobs import JobError, JobStore, StoredJob

_log = log.get_logger(__name__)
# A source that is down fails every round of every feed; the database need not hear of each.
_RECORD_EVERY_S = 15.0
_LOG_AGAIN_S = 600.0
_NUMBERS = re.compile(r"\d+")
_BRIDGE_NAME = re.compile(r"[a-zA-Z0-9\-_]*")


class Service(Protocol):
    """Do what a job is for; `status` tells how it goes."""

    @property
    def status(self) -> JobStatus:
        """Return how it goes."""
        ...

    async def run(self) -> None:
        """Run until cancelled."""
        ...


@dataclass(slots=True)
class _Logged:
    """Hold the kind of a job's error that was logged last, when, and how often it was recorded since."""

    kind: str
    at_s: float
    repeated: int = 0


@dataclass(slots=True)
class ActiveJob:
    """Hold a stored job and what runs for it; `task` is None when it could not be started."""

    stored: StoredJob
    job: Job
    status: JobStatus
    task: asyncio.Task[None] | None = None

    @property
    def id(self) -> int:
        """Return the node's number of the job."""
        return self.stored.id


@dataclass(frozen=True, slots=True)
class JobRules:
    """Say what a job may be: how its text is read, and which keys and bridges there are to refer to."""

    config: Config
    keys: Keyring
    bridges: BridgeStore

    def read(self, toml: str) -> Job:
        """Read a specification; raises what `JobSpawner.create` raises before it checks what the job refers to."""
        return job_reader.read(toml, self.config)

    def check(self, job: Job) -> None:
        """
        Check what a job refers to.

        Raises:
            JobInvalid: when a key is missing.
            JobRefused: when a bridge is missing.
        """
        if job.head.pipeline is not None:
            self._check_bridges(job.head.pipeline)
        if not isinstance(job, OracleJob | BootstrapJob):
            return
        bundle, transmitter = job.spec.key_bundle_id, job.spec.transmitter_address
        if bundle is not None and bundle not in self.keys.ocr:
            # The node prints the id's letters in hex once more.
            text = f"no key bundle with id: {bundle.encode().hex()}: no such key bundle exists"
            raise JobInvalid(f"CreateJobFailed: {text}")
        if transmitter is not None and transmitter not in self.keys.evm:
            text = f"no key matching transmitter address: {transmitter}: no such transmitter key exists"
            raise JobInvalid(f"CreateJobFailed: {text}")

    def _check_bridges(self, pipeline: Pipeline) -> None:
        wanted = []
        for name in pipeline.bridges():
            if not _BRIDGE_NAME.fullmatch(name):
                raise JobRefused(f"task type validation: name {name[:255]} contains invalid characters")
            wanted.append(name.lower())
        found = [name for name in dict.fromkeys(wanted) if self.bridges.get(name) is not None]
        if len(found) < len(set(wanted)):
            raise JobRefused(
                f"not all bridges exist, asked for [{' '.join(dict.fromkeys(wanted))}], exists [{' '.join(found)}]"
            )


@dataclass(frozen=True, slots=True)
class Delegates:
    """Hold what makes the services of each type of job."""

    oracles: OracleDelegate
    bootstraps: BootstrapDelegate
    runs: PipelineRunner

    def service_of(self, job_id: int, job: Job) -> Service:
        """Return the service of a job; JobNotStarted in the words of a real node if it cannot start."""
        if isinstance(job, CronJob):
            if job.schedule.fault:
                raise JobNotStarted(job.schedule.fault)
            return CronService(job_id, job, self.runs)
        if isinstance(job, WebhookJob):
            return WebhookService(job)
        try:
            if isinstance(job, BootstrapJob):
                return self.bootstraps.service_of(job)
            return self.oracles.service_of(job_id, job)
        except JobNotStarted as error:
            raise type(error)(f"failed to create services for job: {job_id}: {error}") from error


class JobSpawner:
    """Keep the jobs and run them."""

    def __init__(self, rules: JobRules, store: JobStore, delegates: Delegates, clock: Clock) -> None:
        self._rules = rules
        self._store = store
        self._delegates = delegates
        self._clock = clock
        self._jobs: dict[int, ActiveJob] = {}
        self._external: dict[UUID, int] = {}
        self._recorders: set[asyncio.Task[None]] = set()
        self._recorded_s: dict[int, float] = {}
        self._logged: dict[int, _Logged] = {}

    async def start_all(self) -> None:
        """Start every stored job; one that cannot start gets an error and the others start all the same."""
        for stored, toml in await self._store.all():
            try:
                self._start(stored, self._rules.read(toml))
            except MeshError as error:
                _log.error("job_not_started", job=stored.id, error=str(error))
                await self._store.record_error(stored.id, str(error.__cause__ or error))

    async def stop_all(self) -> None:
        """Stop every job; return when all have ended."""
        tasks = [active.task for active in self._jobs.values() if active.task is not None]
        for task in (*tasks, *self._recorders):
            task.cancel()
        await asyncio.gather(*tasks, *self._recorders, return_exceptions=True)

    def all(self) -> Sequence[ActiveJob]:
        """Return all jobs in the order of their numbers."""
        return [self._jobs[job_id] for job_id in sorted(self._jobs)]

    def find(self, job_id: int) -> ActiveJob:
        """Return the job of a number; NotFound if there is none."""
        found = self._jobs.get(job_id)
        if found is None:
            raise NotFound("JobSpec", str(job_id))
        return found

    def pipeline(self, label: str) -> Pipeline | None:
        """Return the pipeline of a running oracle's job by its name for people, None if there is none."""
        jobs = (active.job for active in self._jobs.values() if active.job.label == label)
        return next((job.pipeline for job in jobs if isinstance(job, OracleJob)), None)

    def find_external(self, external_job_id: UUID) -> ActiveJob:
        """Return the job of an external id; NotFound if there is none."""
        job_id = self._external.get(external_job_id)
        if job_id is None:
            raise NotFound("JobSpec", str(external_job_id))
        return self.find(job_id)

    async def create(self, toml: str, job_id: int | None = None) -> ActiveJob:
        """
        Store a job and start it.

        Raises:
            JobMalformed, JobInvalid, FeatureDisabled: when the text is refused.
            JobRefused: when it cannot be stored.
            JobNotStarted: when it is stored, but does not start.
        """
        job = self.read(toml)
        self.check(job)
        return await self.store_and_start(job, toml, job_id)

    async def store_and_start(self, job: Job, toml: str, job_id: int | None = None) -> ActiveJob:
        """Store a job that was checked, and start it; raises as `create` from there on."""
        place = (job.contract, job.chain_id) if isinstance(job, OracleJob | BootstrapJob) else None
        stored = await self._store.create(job.external_job_id, job.name, place, toml, job_id)
        for text in _without_effect(job):
            await self._store.record_error(stored.id, text)
        try:
            return self._start(stored, job)
        except MeshError as error:
            await self._store.record_error(stored.id, str(error.__cause__ or error))
            raise

    def read(self, toml: str) -> Job:
        """Read a specification; raises what `create` raises before it checks what the job refers to."""
        return self._rules.read(toml)

    def check(self, job: Job) -> None:
        """Check what a job refers to; raises what `create` raises before it stores."""
        self._rules.check(job)

    async def delete(self, job_id: int) -> None:
        """Stop and delete a job; NotFound if there is none."""
        active = self._jobs.pop(job_id, None)
        if active is not None:
            self._external.pop(active.job.external_job_id, None)
        if active is not None and active.task is not None:
            active.task.cancel()
            await asyncio.gather(active.task, return_exceptions=True)
        self._delegates.oracles.forget(job_id)
        if not await self._store.delete(job_id):
            raise NotFound("JobSpec", str(job_id))

    async def errors(self, job_id: int) -> Sequence[JobError]:
        """Return a job's errors, oldest first."""
        return (await self._store.errors((job_id,))).get(job_id, ())

    async def errors_of(self, jobs: Sequence[ActiveJob]) -> Mapping[int, Sequence[JobError]]:
        """Return the errors of jobs by their numbers, oldest first; jobs without any are left out."""
        return await self._store.errors([active.id for active in jobs])

    async def dismiss_error(self, error_id: int) -> bool:
        """Forget a job's error; tell whether there was one of that number."""
        return await self._store.dismiss_error(error_id)

    def jobs_with_bridge(self, name: str) -> list[int]:
        """Return the numbers of the jobs whose pipelines name a bridge."""
        pipelines = {job_id: active.job.head.pipeline for job_id, active in self._jobs.items()}
        return [job_id for job_id, pipeline in pipelines.items() if pipeline and name in pipeline.bridges()]

    def _start(self, stored: StoredJob, job: Job) -> ActiveJob:
        active = ActiveJob(stored, job, JobStatus(job.label))
        self._jobs[stored.id] = active
        self._external[job.external_job_id] = stored.id
        try:
            service = self._delegates.service_of(stored.id, job)
        except MeshError as error:
            active.status.fail(str(error))
            raise
        active.status = service.status
        service.status.on_error = lambda description: self._record_soon(stored.id, description)
        active.task = asyncio.get_running_loop().create_task(service.run())
        active.task.add_done_callback(lambda task: self._ended(active, task))
        return active

    def _ended(self, active: ActiveJob, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("job_broken", job=active.id, exc_info=error)
            active.status.fail(f"job broken: {type(error).__name__}: {error}")

    def _record_soon(self, job_id: int, description: str) -> None:
        now_s = self._clock.monotonic()
        if now_s - self._recorded_s.get(job_id, -_RECORD_EVERY_S) < _RECORD_EVERY_S:
            return
        self._recorded_s[job_id] = now_s
        # What goes on, with other rounds' numbers in it, is one line when it begins, and later one that counts.
        kind, logged = _NUMBERS.sub("#", description), self._logged.get(job_id)
        if logged is None or logged.kind != kind or now_s - logged.at_s >= _LOG_AGAIN_S:
            repeated = 0 if logged is None else logged.repeated
            _log.warning("job_error", job=job_id, error=description, repeated=repeated, folded_over=("job",))
            self._logged[job_id] = _Logged(kind, now_s)
        else:
            logged.repeated += 1
        task = asyncio.get_running_loop().create_task(self._record(job_id, description))
        self._recorders.add(task)
        task.add_done_callback(self._recorders.discard)

    async def _record(self, job_id: int, description: str) -> None:
        try:
            await self._store.record_error(job_id, description)
        except DatabaseUnavailable as error:
            _log.warning("job_error_not_recorded", job=job_id, error=str(error))


def _without_effect(job: Job) -> Iterator[str]:
    """Yield what is said of parts of a pipeline that are taken and do nothing."""
    pipeline = job.head.pipeline
    if pipeline is not None:
        for attribute in pipeline.unknown_attributes:
            yield f"observationSource.{attribute}: this type of task has no such attribute: it has no effect"
        for task in pipeline.unavailable:
            yield f"observationSource.{task}: this type of task is not available on this node: it always fails"
