"""A contract's configurations over time: for each one a session, the one before ended first."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from chainlink.errors import InvalidOcrConfig
from chainlink.ocr.contract_config import ContractConfig
from chainlink.rpc.errors import ChainError
from meshkit import log
from meshkit.clock import Clock
from meshkit.errors import MeshError
from services.oracle.chain.contract_config_tracker import ConfigTracker
from services.oracle.chain.evm_chain import EvmChain
from services.oracle.jobs.job_status import JobStatus
from services.oracle.jobs.specification import Job
from services.oracle.p2p.errors import P2pError
from services.oracle.store.contracts import ContractConfigStore

Session = Callable[[ContractConfig], Coroutine[Any, Any, None]]
_RETRY_S = 5.0


@dataclass(frozen=True, slots=True)
class ContractConfigWatches:
    """Make the watches of jobs."""

    chains: Mapping[int, EvmChain]
    store: ContractConfigStore
    clock: Clock

    def of(self, job: Job, status: JobStatus, session: Session) -> "ContractConfigWatch":
        """Return the watch of a job's contract, which runs `session` for each configuration."""
        tracker = self.chains[job.chain_id].config_tracker(job.contract, job.timings.config_confirmations)
        return ContractConfigWatch(job, tracker, self.store, self.clock, status, session)


class ContractConfigWatch:
    """
    Run a session for the newest configuration of a contract.

    The last configuration is kept in the database, so that the session starts without the chain. A session that fails
    is started again; one that refuses the configuration for good (InvalidOcrConfig) is not, until there is another.
    """

    def __init__(
        self,
        job: Job,
        tracker: ConfigTracker,
        store: ContractConfigStore,
        clock: Clock,
        status: JobStatus,
        session: Session,
    ) -> None:
        self._job = job
        self._tracker = tracker
        self._store = store
        self._clock = clock
        self._status = status
        self._session = session
        self._digest: bytes | None = None
        self._count = 0
        self._running: asyncio.Task[None] | None = None
        self._log = log.get_logger(__name__).bind(contract=job.contract)

    async def run(self) -> None:
        """Watch until cancelled; the session has ended when this returns."""
        timings = self._job.timings
        try:
            await self._start_from_store()
            while True:
                try:
                    found = await self._tracker.poll(self._digest, self._count)
                    if found is not None:
                        await self._switch(found.config)
                        await self._store.save(self._job.chain_id, found.config, found.block)
                except (MeshError, ChainError) as error:
                    self._status.fail(f"configuration unknown: {error}")
                waiting = self._running is None or self._running.done()
                await self._clock.sleep(timings.first_config_poll_s if waiting else timings.config_poll_s)
        finally:
            await self._stop()

    async def _start_from_store(self) -> None:
        try:
            config = await self._store.load(self._job.contract, self._job.chain_id)
        except MeshError as error:
            self._status.fail(f"last configuration unknown: {error}")
            return
        if config is not None:
            await self._switch(config)

    async def _switch(self, config: ContractConfig) -> None:
        await self._stop()
        self._digest, self._count = config.digest(), config.config_count
        self._log.info("configuration_changed", config_digest=self._digest.hex(), count=config.config_count)
        self._running = asyncio.get_running_loop().create_task(self._keep_running(config))

    async def _stop(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
            self._running = None
        self._status.end_session()

    async def _keep_running(self, config: ContractConfig) -> None:
        while True:
            try:
                await self._session(config)
            except InvalidOcrConfig as error:
                self._log.error("configuration_refused", error=str(error))
                self._status.fail(f"configuration refused: {error}")
                return
            except (MeshError, P2pError) as error:
                self._status.fail(f"session failed: {error}")
            except Exception as error:
                # A defect in one feed must not take the others down; it is logged with its traceback and retried.
                self._log.exception("session_broken")
                self._status.fail(f"session broken: {type(error).__name__}: {error}")
            await self._clock.sleep(_RETRY_S)
