"""A contract's configurations over time: for each one a session, the one before ended first."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from chainlink.errors import InvalidOcrConfig
from chainlink.ocr import config_rules
from chainlink.ocr.config_differences import config_differences
from chainlink.ocr.contract_config import ContractConfig
from chainlink.rpc.errors import ChainError
from meshkit import log
from meshkit.clock import Clock
from meshkit.errors import MeshError
from meshkit.process.background_tasks import keep_running
from services.oracle.chain.contract_config_tracker import ConfigTracker, Found
from services.oracle.chain.evm_chain import EvmChain
from services.oracle.jobs.job_status import JobStatus
from services.oracle.jobs.specification import OcrJob
from services.oracle.p2p.errors import P2pError
from services.oracle.store.contracts import ContractConfigStore

Session = Callable[[ContractConfig], Coroutine[Any, Any, None]]
_RETRY_S = 5.0
# All watches of a node together ask no more often; of hundreds of contracts that would be most of what it asks.
_MOST_POLLS_PER_S = 8.0


@dataclass(frozen=True, slots=True)
class ContractConfigWatches:
    """Make the watches of jobs."""

    chains: Mapping[int, EvmChain]
    store: ContractConfigStore
    clock: Clock
    running: set["ContractConfigWatch"] = field(default_factory=set)

    def of(self, job: OcrJob, status: JobStatus, session: Session) -> "ContractConfigWatch":
        """Return the watch of a job's contract, which runs `session` for each configuration."""
        tracker = self.chains[job.chain_id].config_tracker(job.contract, job.timings.config_confirmations)
        return ContractConfigWatch(job, tracker, self.store, self.clock, status, session, self.running)


class ContractConfigWatch:
    """
    Run a session for the newest configuration of a contract.

    The last configuration is kept in the database, so that the session starts without the chain. A session that fails
    is started again; one that refuses the configuration for good (InvalidOcrConfig) is not, until there is another.
    """

    def __init__(
        self,
        job: OcrJob,
        tracker: ConfigTracker,
        store: ContractConfigStore,
        clock: Clock,
        status: JobStatus,
        session: Session,
        beside: "set[ContractConfigWatch] | None" = None,
    ) -> None:
        self._job = job
        self._tracker = tracker
        self._store = store
        self._clock = clock
        self._status = status
        self._session = session
        self._beside = set() if beside is None else beside
        self._digest: bytes | None = None
        self._count = 0
        self._config: ContractConfig | None = None
        self._unsaved: Found | None = None
        self._running: asyncio.Task[None] | None = None
        self._log = log.get_logger(__name__).bind(contract=job.contract)

    async def run(self) -> None:
        """Watch until cancelled; the session has ended when this returns."""
        self._beside.add(self)
        try:
            await self._start_from_store()
            await keep_running("watch of a configuration", self._watch, self._clock, on_death=self._note_death)
        finally:
            self._beside.discard(self)
            await self._stop()

    async def _save(self) -> None:
        """Keep the newest configuration; what the database does not take now is tried again the next time."""
        if self._unsaved is None:
            return
        try:
            await self._store.save(self._job.chain_id, self._unsaved.config, self._unsaved.block)
        except MeshError as error:
            self._status.fail(f"configuration not kept: {error}")
        else:
            self._unsaved = None

    async def _watch(self) -> None:
        timings = self._job.timings
        while True:
            try:
                found = await self._tracker.poll(self._digest, self._count)
                if found is not None:
                    await self._switch(found.config)
                    self._unsaved = found
                await self._save()
            except (MeshError, ChainError) as error:
                self._status.fail(f"configuration unknown: {error}")
            waiting = self._running is None or self._running.done()
            pause_s = poll_pause_s(timings.config_poll_s, len(self._beside))
            await self._clock.sleep(timings.first_config_poll_s if waiting else pause_s)

    def _note_death(self, error: Exception) -> None:
        self._status.fail(f"watch broken: {type(error).__name__}: {error}")

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
        before, self._config = self._config, config
        self._digest, self._count = config.digest(), config.config_count
        digest = self._digest.hex()
        self._log.info(
            "configuration_changed", config_digest=digest, count=config.config_count, changes=changes(before, config)
        )
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
                self._log.error("configuration_refused", error=str(error), flaws=flaws_of(config))
                self._status.fail(f"configuration refused: {error}")
                return
            except (MeshError, P2pError) as error:
                self._status.fail(f"session failed: {error}")
            except Exception as error:
                # A defect in one feed must not take the others down; it is logged with its traceback and retried.
                self._log.exception("session_broken")
                self._status.fail(f"session broken: {type(error).__name__}: {error}")
            await self._clock.sleep(_RETRY_S)


def poll_pause_s(interval_s: float, watches: int) -> float:
    """Return how long a watch waits that has a configuration: longer where so many would ask too often together."""
    return max(interval_s, watches / _MOST_POLLS_PER_S)


def changes(before: ContractConfig | None, after: ContractConfig) -> list[str]:
    """Return in words in what a configuration differs from the one before; nothing if one of the two is unreadable."""
    try:
        return [] if before is None else list(config_differences(after.decode()[0], before.decode()[0], other="before"))
    except InvalidOcrConfig:
        return []


def flaws_of(config: ContractConfig) -> list[str]:
    """Return everything for which no oracle runs by a configuration; nothing if it is refused by this one only."""
    try:
        return [str(flaw) for flaw in config_rules.flaws(*config.decode())]
    except InvalidOcrConfig as error:
        return [str(error)]
