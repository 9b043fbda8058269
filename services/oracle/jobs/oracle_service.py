"""The service of an oracle's job: watch its contract, and under each configuration take part in its rounds."""

from collections.abc import Mapping
from dataclasses import dataclass

from chainlink.keys.ocr1 import OracleKeys
from chainlink.ocr.contract_config import ContractConfig
from meshkit import log
from meshkit.clock import Clock
from services.oracle.chain.answer_bounds import AnswerBounds
from services.oracle.chain.evm_chain import EvmChain
from services.oracle.errors import JobKeyMissing, JobNotStarted
from services.oracle.jobs.contract_config_watch import ContractConfigWatches
from services.oracle.jobs.job_status import OracleStatus
from services.oracle.jobs.observation_source import ObservationSource, ObservationSources
from services.oracle.jobs.peer_groups import PeerGroups
from services.oracle.jobs.round_events import RoundEvents
from services.oracle.jobs.specification import OracleJob
from services.oracle.keys.sealed_keyring import Keyring
from services.oracle.metrics import OracleMetrics
from services.oracle.ocr.config import PublicConfig, SharedConfig
from services.oracle.ocr.running.interfaces import Network, Ports, ProtocolStore
from services.oracle.ocr.running.limits import LocalLimits
from services.oracle.ocr.running.runner import Runner
from services.oracle.ocr.state import Trace, TraceKind
from services.oracle.round_records.recorder import RoundRecorder

_log = log.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class OracleDelegate:
    """Make the services of oracles' jobs."""

    keys: Keyring
    chains: Mapping[int, EvmChain]
    groups: PeerGroups
    sources: ObservationSources
    watches: ContractConfigWatches
    protocol: ProtocolStore
    metrics: OracleMetrics
    rounds: RoundEvents

    def service_of(self, job_id: int, job: OracleJob) -> "OracleService":
        """Return the service of a job; MeshError if something it needs is missing."""
        if not self.groups.bootstrappers(job.bootstrappers):
            raise JobNotStarted("Need at least one v2 bootstrap peer defined")
        bundle = self.keys.ocr.get(job.key_bundle_id)
        if bundle is None:
            raise JobKeyMissing(f"unable to find OCR key with id {job.key_bundle_id}")
        if job.transmitter is None:
            raise JobNotStarted("TransmitterAddress is missing")
        if job.transmitter not in self.keys.evm:
            raise JobKeyMissing(f"no key matching transmitter address: {job.transmitter}")
        chain = self.chains[job.chain_id]
        bounds = chain.answer_bounds(job.contract)
        transmitter = chain.transmitter(job.contract, job.transmitter, job.gas_limit, bounds)
        status = OracleStatus(job_id, job.label, self.metrics, self.rounds)
        bounds.on_change = status.pin
        source = self.sources.of(job_id, job, status)
        ports = Ports(source, chain.reader(job.contract), transmitter, self.protocol)
        sources = self.sources
        session = OracleSession(
            job,
            job.transmitter,
            bundle.keys,
            self.groups,
            ports,
            source,
            status,
            bounds,
            sources.recorder,
            sources.clock,
        )
        return OracleService(job, session, self.watches, status)

    def forget(self, job_id: int) -> None:
        """Drop what is kept of a job that is gone."""
        self.sources.forget(job_id)


class OracleService:
    """Run one oracle's job; `status` tells how it goes."""

    def __init__(
        self, job: OracleJob, session: "OracleSession", watches: ContractConfigWatches, status: OracleStatus
    ) -> None:
        self.status = status
        self._watch = watches.of(job, status, session.run)

    async def run(self) -> None:
        """Run until cancelled."""
        try:
            await self._watch.run()
        finally:
            self.status.close()


@dataclass(frozen=True, slots=True)
class OracleSession:
    """Take part in the rounds of a job's contract under one configuration after the other."""

    job: OracleJob
    transmitter: str
    keys: OracleKeys
    groups: PeerGroups
    ports: Ports
    source: ObservationSource
    status: OracleStatus
    bounds: AnswerBounds
    recorder: RoundRecorder
    clock: Clock

    async def run(self, config: ContractConfig) -> None:
        """Take part until cancelled; InvalidOcrConfig if this node cannot under this configuration."""
        public = PublicConfig.from_contract(config, self.job.chain_id)
        shared = SharedConfig.join(public, self.keys, self.groups.peer_id, self.transmitter)
        await self.source.restore()
        with self.groups.joined(public, self.groups.bootstrappers(self.job.bootstrappers)) as network:
            if network is None:
                raise JobNotStarted("the peer-to-peer host is no oracle of the configuration")
            runner = self._runner(shared, network)
            self.status.begin_session(public.config_digest, shared.index, runner.counters)
            self.recorder.begin(self.job.label, self.job.contract, shared)
            _log.info("feed_started", feed=self.job.label, oracle=shared.index, n=shared.n, f=shared.f)
            await runner.run()

    def _runner(self, shared: SharedConfig, network: Network) -> Runner:
        timings = self.job.timings
        return Runner(
            shared,
            self.keys,
            network,
            self.ports,
            clock=self.clock,
            limits=LocalLimits(
                blockchain_s=timings.blockchain_s,
                database_s=timings.database_s,
                observation_s=timings.observation_s,
                observation_grace_s=timings.observation_grace_s,
                transmit_s=timings.transmit_s,
            ),
            on_trace=self._follow,
            feed=self.job.label,
        )

    def _follow(self, trace: Trace) -> None:
        self.status.follow(trace)
        self.recorder.follow(self.job.contract, trace)
        if trace.kind is TraceKind.FINAL and trace.median is not None:
            self.bounds.note(trace.median)
        elif trace.kind is TraceKind.REPORT_DECLINED and (own := self.status.last_observation) is not None:
            # Nothing is to be reported, so the answer is near the one that the contract has.
            self.bounds.free(own)
        if trace.kind in (TraceKind.TRANSMITTED, TraceKind.TRANSMISSION_FAILED):
            _log.info(trace.kind.value, feed=self.job.label, epoch=trace.epoch, round=trace.round, detail=trace.detail)
