"""The services of jobs that are nothing but a pipeline: run by a schedule, or on request."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from meshkit import log
from services.oracle.jobs.job_status import JobStatus
from services.oracle.jobs.observation_source import ObservationSources
from services.oracle.jobs.specification import CronJob, Job, OracleJob, WebhookJob
from services.oracle.pipeline.record import PipelineRun, record
from services.oracle.pipeline.run import run
from services.oracle.pipeline.values import Value

_log = log.get_logger(__name__)
# JobPipeline.MaxRunDuration of a real node.
_LONGEST_S = 600.0
_MS_PER_S = 1000


@dataclass(frozen=True, slots=True)
class PipelineRunner:
    """Run the pipelines of jobs outside of rounds."""

    sources: ObservationSources

    async def run(self, job_id: int, job: Job, job_run: Mapping[str, Value]) -> PipelineRun:
        """Run a job's pipeline, with `job_run` as the variable `jobRun`; return what came of it."""
        pipeline, sources = job.head.pipeline, self.sources
        if pipeline is None:
            raise ValueError(f"job {job_id} has no pipeline")
        name = "jb" if isinstance(job, OracleJob) else "jobSpec"
        about: dict[str, Value] = {"databaseID": job_id, "externalJobID": str(job.external_job_id)}
        about["name"] = job.name or ""
        if isinstance(job, CronJob) and job.evm_chain_id is not None:
            about["evmChainID"] = str(job.evm_chain_id)
        variables: dict[str, Value] = {name: about, "jobRun": dict(job_run)}
        limit_s = job.head.max_task_ns / 1e9 if job.head.max_task_ns > 0 else _LONGEST_S
        answers = sources.bridge_answers.of(job_id)
        finished = await run(pipeline, sources.fetcher, answers, variables, min(limit_s, _LONGEST_S))
        now = (sources.clock.time_ms(), asyncio.get_running_loop().time())
        return record(job_id, pipeline, finished, variables, now)


class CronService:
    """Run one cron job at the times of its schedule; a run that takes longer does not keep the next one waiting."""

    def __init__(self, job_id: int, job: CronJob, runner: PipelineRunner) -> None:
        self.status = JobStatus(job.label)
        self._job_id = job_id
        self._job = job
        self._runner = runner

    async def run(self) -> None:
        """Run until cancelled."""
        clock = self._runner.sources.clock
        async with asyncio.TaskGroup() as runs:
            while True:
                now = datetime.fromtimestamp(clock.time_ms() / _MS_PER_S, UTC)
                following = self._job.schedule.after(now)
                if following is None:
                    _log.warning("schedule_over", job=self._job_id, schedule=self._job.schedule.text)
                    return
                await clock.sleep((following - now).total_seconds())
                runs.create_task(self._once())

    async def _once(self) -> None:
        # As in the real node, the good runs of a schedule are kept without their tasks.
        finished = (await self._runner.run(self._job_id, self._job, {"meta": {}})).without_tasks_of_success()
        self._runner.sources.runs.note(finished)
        if finished.ok:
            self.status.last_error = ""
        else:
            self.status.fail(f"run failed: {'; '.join(error for error in finished.fatal_errors if error)}")


class WebhookService:
    """Wait for requests: those who ask run the pipeline themselves."""

    def __init__(self, job: WebhookJob) -> None:
        self.status = JobStatus(job.label)

    async def run(self) -> None:
        """Wait until cancelled."""
        await asyncio.get_running_loop().create_future()
