"""The checks behind /health and /readyz."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from meshkit.metrics import Registry
from services.oracle.chain.evm_chain import EvmChain
from services.oracle.errors import DatabaseUnavailable
from services.oracle.jobs.job_spawner import JobSpawner
from services.oracle.store.database import Database


@dataclass(frozen=True, slots=True)
class Check:
    """Hold one check's result; an empty `output` means that it passes."""

    name: str
    output: str = ""

    @property
    def passing(self) -> bool:
        """Tell whether it passes."""
        return not self.output


class Health:
    """Check the parts of the node; `ready` is set once all services have started."""

    def __init__(
        self, chains: Mapping[int, EvmChain], spawner: JobSpawner, database: Database, registry: Registry
    ) -> None:
        self._chains = chains
        self._spawner = spawner
        self._database = database
        self._gauge = registry.gauge("health")
        self.ready = False

    async def checks(self) -> Sequence[Check]:
        """Return all checks by name, and note them in the metrics."""
        checks = [await self._database_check(), Check("SingletonPeerWrapper"), Check("PipelineRunner")]
        for chain_id, chain in self._chains.items():
            head = "" if chain.heads.connected else "Listener connected = false, receiving heads = false"
            troubles = [f"{account.address}: {account.trouble}" for account in chain.accounts() if account.trouble]
            checks += [
                Check(f"EVM.{chain_id}"),
                Check(f"EVM.{chain_id}.HeadTracker.HeadListener", head),
                Check(f"EVM.{chain_id}.Txm", "; ".join(troubles)),
            ]
        broken = [active.job.label for active in self._spawner.all() if active.task is None or active.task.done()]
        checks.append(Check("JobSpawner", f"not running: {', '.join(broken)}" if broken else ""))
        pinned = [
            f"{active.job.label}: {active.status.pinned}" for active in self._spawner.all() if active.status.pinned
        ]
        checks.append(Check("ContractAnswers", "; ".join(pinned)))
        for check in checks:
            self._gauge.labels(check.name).set(check.passing)
        return sorted(checks, key=lambda check: check.name)

    async def _database_check(self) -> Check:
        try:
            await self._database.ping()
        except DatabaseUnavailable as error:
            return Check("PipelineORM", str(error))
        return Check("PipelineORM")
