"""The service of a bootstrap job: let the oracles of each configuration of one contract find each other."""

import asyncio
from collections import Counter
from dataclasses import dataclass

from chainlink.ocr.contract_config import ContractConfig
from meshkit import log
from services.oracle.jobs.contract_config_watch import ContractConfigWatches
from services.oracle.jobs.job_status import JobStatus
from services.oracle.jobs.peer_groups import PeerGroups
from services.oracle.jobs.specification import BootstrapJob
from services.oracle.ocr.config import PublicConfig

_log = log.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class BootstrapDelegate:
    """Make the services of bootstrap jobs."""

    groups: PeerGroups
    watches: ContractConfigWatches

    def service_of(self, job: BootstrapJob) -> "BootstrapService":
        """Return the service of a job."""
        return BootstrapService(job, self.groups, self.watches)


class BootstrapService:
    """Run one bootstrap job; `status` tells how it goes."""

    def __init__(self, job: BootstrapJob, groups: PeerGroups, watches: ContractConfigWatches) -> None:
        self.status = JobStatus(job.label)
        self._job = job
        self._groups = groups
        self._watch = watches.of(job, self.status, self._session)

    async def run(self) -> None:
        """Run until cancelled."""
        await self._watch.run()

    async def _session(self, config: ContractConfig) -> None:
        # A bootstrapper takes part in nothing, so the chain's minimum timings do not concern it.
        public = PublicConfig.from_contract(config, None)
        with self._groups.joined(public, self._groups.bootstrappers(self._job.bootstrappers)):
            self.status.begin_session(public.config_digest, None, Counter())
            self.status.last_error = ""
            _log.info("bootstrap_started", feed=self._job.label, n=public.n)
            await asyncio.get_running_loop().create_future()
