"""A bootstrap job's life: let the oracles of each configuration of one contract find each other."""

import asyncio

from chainlink.ocr.contract_config import ContractConfig
from meshkit import log
from services.oracle.chain.tracker import ConfigTracker
from services.oracle.jobs import BootstrapJob
from services.oracle.ocr.config import PublicConfig
from services.oracle.ocr.limits import peer_limits
from services.oracle.status import FeedStatus
from services.oracle.surroundings import Surroundings
from services.oracle.watch import ContractWatch

_log = log.get_logger(__name__)


class BootstrapFeed:
    """Run one bootstrap job; `status` tells how it goes."""

    def __init__(self, job: BootstrapJob, around: Surroundings) -> None:
        self.status = FeedStatus()
        self._job = job
        self._around = around
        self._bootstrappers = around.bootstrappers(job.bootstrappers)
        chain = around.chains[job.chain_id]
        self._watch = ContractWatch(
            job.chain_id,
            job.contract,
            ConfigTracker(chain.rpc, chain.heads, job.contract, job.timings.config_confirmations, around.clock),
            around.contract_configs,
            self._session,
            timings=job.timings,
            clock=around.clock,
            status=self.status,
        )

    async def run(self) -> None:
        """Run until cancelled."""
        await self._watch.run()

    async def _session(self, config: ContractConfig) -> None:
        # A bootstrapper takes part in nothing, so the chain's minimum timings do not concern it.
        public = PublicConfig.from_contract(config, None)
        limits = peer_limits(public.offchain)
        self._around.host.register_group(public.config_digest, public.offchain.peer_ids, self._bootstrappers, limits)
        try:
            self.status.config_digest = public.config_digest.hex()
            self.status.last_error = ""
            _log.info("bootstrap_started", feed=self._job.label, n=public.n)
            await asyncio.get_running_loop().create_future()
        finally:
            self._around.host.unregister_group(public.config_digest)
