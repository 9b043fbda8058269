"""The running jobs of a node: started from the database at its start, and from the REST API after it."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from chainlink.errors import SpecInvalid
from meshkit import log
from meshkit.clock import Clock
from meshkit.errors import MeshError, NotFound
from services.oracle.errors import DatabaseUnavailable, JobNotStarted, JobRefused
from services.oracle.jobs.bootstrap_service import BootstrapDelegate, BootstrapService
from services.oracle.jobs.job_status import JobStatus
from services.oracle.jobs.oracle_service import OracleDelegate, OracleService
from services.oracle.jobs.specification import Job, OracleJob, parse
from services.oracle.keys.sealed_keyring import Keyring
from services.oracle.pipeline.graph import Pipeline
from services.oracle.settings import Config
from services.oracle.store.bridges import BridgeStore
from services.oracle.store.jobs import JobError, JobStore, StoredJob

_log = log.get_logger(__name__)
# A source that is down fails every round of every feed; the database need not hear of each.
_RECORD_EVERY_S = 15.0
LARGEST_JOB_ID = 2**31 - 1
_NUMBER = re.compile(r"[0-9]{1,19}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


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
        return parse(toml, self.config)

    def check(self, job: Job) -> None:
        """
        Check what a job refers to.

        Raises:
            SpecInvalid: when a key is missing.
            JobRefused: when a bridge is missing.
        """
        if not isinstance(job, OracleJob):
            return
        if job.key_bundle_id not in self.keys.ocr:
            raise SpecInvalid("keyBundleID", job.key_bundle_id, "no key bundle with id: a bundle of the keystore")
        if job.transmitter not in self.keys.evm:
            allowed = "no key matching transmitter address: a key of the keystore"
            raise SpecInvalid("transmitterAddress", job.transmitter, allowed)
        missing = [name for name in job.pipeline.bridges() if self.bridges.get(name) is None]
        if missing:
            raise JobRefused(f"not all bridges exist, missing: {', '.join(missing)}")


class JobSpawner:
    """Keep the jobs and run them."""

    def __init__(
        self, rules: JobRules, store: JobStore, oracles: OracleDelegate, bootstraps: BootstrapDelegate, clock: Clock
    ) -> None:
        self._rules = rules
        self._store = store
        self._oracles = oracles
        self._bootstraps = bootstraps
        self._clock = clock
        self._jobs: dict[int, ActiveJob] = {}
        self._recorders: set[asyncio.Task[None]] = set()
        self._recorded_s: dict[int, float] = {}

    async def start_all(self) -> None:
        """Start every stored job; one that cannot start gets an error and the others start all the same."""
        for stored, toml in await self._store.all():
            try:
                self._start(stored, self._rules.read(toml))
            except MeshError as error:
                _log.error("job_not_started", job=stored.id, error=str(error))
                await self._store.record_error(stored.id, str(error))

    async def stop_all(self) -> None:
        """Stop every job; return when all have ended."""
        tasks = [active.task for active in self._jobs.values() if active.task is not None]
        for task in (*tasks, *self._recorders):
            task.cancel()
        await asyncio.gather(*tasks, *self._recorders, return_exceptions=True)

    def all(self) -> Sequence[ActiveJob]:
        """Return all jobs in the order of their numbers."""
        return [self._jobs[job_id] for job_id in sorted(self._jobs)]

    def find(self, key: str) -> ActiveJob:
        """Return the job of a number or an external id; NotFound if there is none, ValueError if it is neither."""
        if _NUMBER.fullmatch(key):
            found = self._jobs.get(int(key))
        elif not _UUID.fullmatch(key):
            raise ValueError(key)
        else:
            wanted = UUID(key)
            found = next((active for active in self._jobs.values() if active.job.external_job_id == wanted), None)
        if found is None:
            raise NotFound("JobSpec", key)
        return found

    def pipeline(self, label: str) -> Pipeline | None:
        """Return the pipeline of a running oracle's job by its name for people, None if there is none."""
        jobs = (active.job for active in self._jobs.values() if active.job.label == label)
        return next((job.pipeline for job in jobs if isinstance(job, OracleJob)), None)

    async def create(self, toml: str, job_id: int | None = None) -> ActiveJob:
        """
        Store a job and start it.

        Raises:
            SpecMalformed, SpecInvalid, FeatureDisabled: when the text is refused.
            JobRefused: when it cannot be stored.
            JobNotStarted: when it is stored, but does not start.
        """
        job = self.check(toml)
        stored = await self._store.create(job.external_job_id, job.name, job.contract, job.chain_id, toml, job_id)
        for attribute in job.pipeline.unknown_attributes if isinstance(job, OracleJob) else ():
            text = f"observationSource.{attribute}: this type of task has no such attribute: it has no effect"
            await self._store.record_error(stored.id, text)
        try:
            return self._start(stored, job)
        except MeshError as error:
            await self._store.record_error(stored.id, str(error))
            raise JobNotStarted(str(error)) from error

    def check(self, toml: str) -> Job:
        """Read a specification and check what it refers to; raises what `create` raises before it stores."""
        job = self._rules.read(toml)
        self._rules.check(job)
        return job

    async def delete(self, job_id: int) -> None:
        """Stop and delete a job; NotFound if there is none."""
        active = self._jobs.pop(job_id, None)
        if active is not None and active.task is not None:
            active.task.cancel()
            await asyncio.gather(active.task, return_exceptions=True)
        self._oracles.forget(job_id)
        if not await self._store.delete(job_id):
            raise NotFound("JobSpec", str(job_id))

    async def errors(self, job_id: int) -> Sequence[JobError]:
        """Return a job's errors, oldest first."""
        return await self._store.errors(job_id)

    async def dismiss_error(self, error_id: int) -> bool:
        """Forget a job's error; tell whether there was one of that number."""
        return await self._store.dismiss_error(error_id)

    def uses_bridge(self, name: str) -> bool:
        """Tell whether a job's pipeline names a bridge."""
        return any(isinstance(a.job, OracleJob) and name in a.job.pipeline.bridges() for a in self._jobs.values())

    def _start(self, stored: StoredJob, job: Job) -> ActiveJob:
        active = ActiveJob(stored, job, JobStatus(job.label))
        self._jobs[stored.id] = active
        try:
            service: OracleService | BootstrapService
            if isinstance(job, OracleJob):
                service = self._oracles.service_of(stored.id, job)
            else:
                service = self._bootstraps.service_of(job)
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
        _log.warning("job_error", job=job_id, error=description)
        task = asyncio.get_running_loop().create_task(self._record(job_id, description))
        self._recorders.add(task)
        task.add_done_callback(self._recorders.discard)

    async def _record(self, job_id: int, description: str) -> None:
        try:
            await self._store.record_error(job_id, description)
        except DatabaseUnavailable as error:
            _log.warning("job_error_not_recorded", job=job_id, error=str(error))
