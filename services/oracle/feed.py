"""One feed's life on this oracle: watch its contract, and under each configuration take part in its rounds."""

from dataclasses import replace

from chainlink.ocr.contract_config import ContractConfig
from meshkit import log
from services.oracle.chain.reader import AggregatorReader
from services.oracle.chain.tracker import ConfigTracker
from services.oracle.chain.transmitter import FeedTransmitter
from services.oracle.errors import JobNotStarted
from services.oracle.jobs import OracleJob
from services.oracle.ocr.config import PublicConfig, SharedConfig
from services.oracle.ocr.limits import LocalLimits, peer_limits
from services.oracle.ocr.runner import Runner
from services.oracle.ocr.state import Trace, TraceKind
from services.oracle.p2p.endpoint import OcrEndpoint
from services.oracle.source import PipelineSource
from services.oracle.status import FeedStatus
from services.oracle.surroundings import Surroundings
from services.oracle.watch import ContractWatch

_log = log.get_logger(__name__)


class OracleFeed:
    """Run one oracle job; `status` tells how it goes."""

    def __init__(self, job_id: int, job: OracleJob, around: Surroundings) -> None:
        self.status = FeedStatus()
        self._job = job
        self._around = around
        self._chain = around.chains[job.chain_id]
        self._keys = around.keyring.ocr[job.key_bundle_id].keys
        self._bootstrappers = around.bootstrappers(job.bootstrappers)
        if not self._bootstrappers:
            raise JobNotStarted("Need at least one v2 bootstrap peer defined")
        account = around.account(self._chain, job.transmitter)
        self._metrics = around.metrics.add(job_id, job.label)
        self._source = PipelineSource(
            job_id, job, around.fetcher, around.answers, around.runs, around.clock, self.status, self._metrics
        )
        self._reader = AggregatorReader(self._chain.rpc, self._chain.heads, job.contract, around.clock)
        self._transmitter = FeedTransmitter(account, job.contract, job.gas_limit)
        confirmations = job.timings.config_confirmations
        tracker = ConfigTracker(self._chain.rpc, self._chain.heads, job.contract, confirmations, around.clock)
        self._watch = ContractWatch(
            job.chain_id,
            job.contract,
            tracker,
            around.contract_configs,
            self._session,
            timings=job.timings,
            clock=around.clock,
            status=self.status,
        )

    async def run(self) -> None:
        """Run until cancelled."""
        try:
            await self._watch.run()
        finally:
            self._around.metrics.remove(self._metrics)

    async def _session(self, config: ContractConfig) -> None:
        host = self._around.host
        public = PublicConfig.from_contract(config, self._job.chain_id)
        shared = SharedConfig.join(public, self._keys, host.peer_id, self._job.transmitter)
        await self._source.restore()
        buffered = self._around.config.p2p.incoming_message_buffer_size
        limits = replace(peer_limits(public.offchain), buffered=buffered)
        network = host.register_group(public.config_digest, public.offchain.peer_ids, self._bootstrappers, limits)
        try:
            if network is None:
                raise JobNotStarted("the peer-to-peer host is no oracle of the configuration")
            runner = self._runner(shared, network)
            self.status.config_digest = public.config_digest.hex()
            self.status.oracle_index = shared.index
            self.status.counters = runner.counters
            _log.info("feed_started", feed=self._job.label, oracle=shared.index, n=shared.n, f=shared.f)
            await runner.run()
        finally:
            host.unregister_group(public.config_digest)

    def _runner(self, shared: SharedConfig, network: OcrEndpoint) -> Runner:
        timings = self._job.timings
        index = shared.index
        return Runner(
            shared,
            self._keys,
            clock=self._around.clock,
            data_source=self._source,
            reader=self._reader,
            transmitter=self._transmitter,
            network=network,
            store=self._around.protocol,
            limits=LocalLimits(
                blockchain_s=timings.blockchain_s,
                database_s=timings.database_s,
                observation_s=timings.observation_s,
                observation_grace_s=timings.observation_grace_s,
                transmit_s=timings.transmit_s,
            ),
            on_trace=lambda trace: self._on_trace(trace, index),
            feed=self._job.label,
        )

    def _on_trace(self, trace: Trace, own_index: int) -> None:
        self.status.note(trace)
        self._around.rounds.publish(self._job.label, trace)
        self._metrics.follow(trace, own_index)
        if trace.kind in (TraceKind.TRANSMITTED, TraceKind.TRANSMISSION_FAILED):
            _log.info(trace.kind.value, feed=self._job.label, epoch=trace.epoch, round=trace.round, detail=trace.detail)
