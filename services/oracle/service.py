"""OracleService: what the node does, for whoever asks over gRPC."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import grpc.aio

from feedmesh.oracle.v1 import oracle_service_pb2 as pb
from feedmesh.oracle.v1 import oracle_service_pb2_grpc as pb_grpc
from services.oracle.chain.evm_chain import EvmChain
from services.oracle.jobs.job_spawner import ActiveJob, JobSpawner
from services.oracle.jobs.round_events import RoundEvent, RoundEvents
from services.oracle.jobs.specification import BootstrapJob, OracleJob
from services.oracle.ocr.state import TraceKind
from services.oracle.p2p.host import Host
from services.oracle.round_records.kept_rounds import KeptRounds

FULL_NAME = "feedmesh.oracle.v1.OracleService"
_Context = grpc.aio.ServicerContext[Any, Any]
_STAGES = {
    TraceKind.ROUND_STARTED: pb.ROUND_STAGE_STARTED,
    TraceKind.OBSERVATION_SENT: pb.ROUND_STAGE_OBSERVED,
    TraceKind.REPORT_SENT: pb.ROUND_STAGE_REPORTED,
    TraceKind.REPORT_DECLINED: pb.ROUND_STAGE_COMPLETED,
    TraceKind.FINAL: pb.ROUND_STAGE_FINALIZED,
    TraceKind.TRANSMISSION_SCHEDULED: pb.ROUND_STAGE_SCHEDULED,
    TraceKind.TRANSMITTED: pb.ROUND_STAGE_TRANSMITTED,
    TraceKind.TRANSMISSION_SKIPPED: pb.ROUND_STAGE_SKIPPED,
    TraceKind.TRANSMISSION_FAILED: pb.ROUND_STAGE_FAILED,
}


class OracleServicer(pb_grpc.OracleServiceServicer):
    """Answer from the running jobs."""

    def __init__(
        self,
        host: Host,
        chains: Mapping[int, EvmChain],
        spawner: JobSpawner,
        rounds: RoundEvents,
        kept_rounds: KeptRounds,
    ) -> None:
        self._kept_rounds = kept_rounds
        self._host = host
        self._chains = chains
        self._spawner = spawner
        self._rounds = rounds

    async def GetStatus(self, request: pb.GetStatusRequest, context: _Context) -> pb.GetStatusResponse:
        """Return the node's identity, its peers and the state of every job."""
        return pb.GetStatusResponse(
            peer_id=self._host.peer_id,
            connected_peers=self._host.connected_peers,
            jobs=[_job(active) for active in self._spawner.all()],
            head_block=max((chain.heads.latest for chain in self._chains.values()), default=0),
        )

    async def ListJobs(self, request: pb.ListJobsRequest, context: _Context) -> pb.ListJobsResponse:
        """Return the node's jobs."""
        return pb.ListJobsResponse(jobs=[_job(active) for active in self._spawner.all()])

    async def ListRounds(self, request: pb.ListRoundsRequest, context: _Context) -> pb.ListRoundsResponse:
        """Return rounds that this node keeps."""
        return await self._kept_rounds.list(request)

    async def ReplayRound(self, request: pb.ReplayRoundRequest, context: _Context) -> pb.ReplayRoundResponse:
        """Return what the running code makes of a kept round."""
        return await self._kept_rounds.replay(request)

    async def WatchRounds(
        self, request: pb.WatchRoundsRequest, context: _Context
    ) -> AsyncIterator[pb.WatchRoundsResponse]:
        """Send every round this node takes part in, as it goes on."""
        names = set(request.names)
        async for event in self._rounds.watch():
            if event.trace.kind in _STAGES and (not names or event.job_name in names):
                yield _response(event)


def _job(active: ActiveJob) -> pb.JobStatus:
    status = active.status
    answer = "" if status.last_observation is None else str(status.last_observation)
    return pb.JobStatus(
        id=active.id,
        external_job_id=str(active.job.external_job_id),
        name=active.job.name or "",
        contract_address=active.job.contract if isinstance(active.job, OracleJob | BootstrapJob) else "",
        bootstrap=isinstance(active.job, BootstrapJob),
        config_digest=status.config_digest,
        oracle_index=status.oracle_index,
        epoch=status.epoch,
        leader=status.leader,
        round=status.round,
        last_observation=answer,
        last_error=status.pinned or status.last_error,
    )


def _response(event: RoundEvent) -> pb.WatchRoundsResponse:
    trace = event.trace
    value = trace.value if trace.value is not None else trace.median
    message = pb.WatchRoundsResponse(
        name=event.job_name,
        epoch=trace.epoch,
        round=trace.round,
        leader=trace.leader,
        stage=_STAGES[trace.kind],
        observers=trace.observers,
        value="" if value is None else str(value),
        detail=trace.detail,
    )
    message.time.FromMilliseconds(trace.at_ms)
    if trace.due_ms is not None:
        message.due_time.FromMilliseconds(trace.due_ms)
    return message
