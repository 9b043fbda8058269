"""Follow a running mesh over gRPC: service states, accepted rounds, the oracles' own view of rounds."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal

import aiohttp
import grpc
import grpc.aio

from cli.embedded import feeds
from cli.report import FeedRecord, enough
from feedmesh.operator.v1 import operator_service_pb2 as operator_pb
from feedmesh.operator.v1 import operator_service_pb2_grpc as operator_grpc
from feedmesh.oracle.v1 import oracle_service_pb2 as oracle_pb
from feedmesh.oracle.v1 import oracle_service_pb2_grpc as oracle_grpc
from feedmesh.supervisor.v1 import supervisor_service_pb2 as supervisor_pb
from feedmesh.supervisor.v1 import supervisor_service_pb2_grpc as supervisor_grpc
from meshkit.client import channel
from meshkit.configuration.solution import Solution
from meshkit.paths import RunDir

_RECONNECT_S = 0.5
# Round starts older than this cannot belong to a report that is still to be accepted.
_KEPT_STARTS = 200


@dataclass(slots=True)
class View:
    """What is known of the mesh at this moment."""

    feeds: dict[str, FeedRecord]
    services: dict[str, supervisor_pb.Service] = field(default_factory=dict)
    startup_s: float | None = None
    first_round_s: float | None = None
    starts: dict[tuple[str, int, int], float] = field(default_factory=dict)
    # One value is put for every change that a person may want to see.
    on_service: Callable[[supervisor_pb.Service], None] = lambda service: None
    on_round: Callable[[operator_pb.Round, FeedRecord], None] = lambda accepted, record: None


class Watcher:
    """Keep a View up to date until cancelled. A broken stream is opened again: its server is being restarted."""

    def __init__(self, solution: Solution, view: View, started_s: float, wanted_rounds: int) -> None:
        self._solution = solution
        self._run = RunDir(solution.mesh.run_dir)
        self._view = view
        self._started_s = started_s
        self._wanted_rounds = wanted_rounds
        self._seen: set[tuple[str, str, int]] = set()
        self.done = asyncio.Event()

    async def run(self, is_ours: Callable[[int], bool]) -> None:
        """Follow everything, once a supervisor answers whose process id is ours."""
        await self._again(lambda: self._answers(is_ours))
        first = self._solution.bootstrap_nodes + 1
        async with asyncio.TaskGroup() as group:
            group.create_task(self._again(self._services))
            group.create_task(self._again(self._ready))
            group.create_task(self._again(self._addresses))
            group.create_task(self._again(self._rounds))
            for node in range(first, self._solution.total_nodes + 1):
                group.create_task(self._again(lambda node=node: self._starts(node)))  # type: ignore[misc]

    async def _again(self, follow: Callable[[], Awaitable[bool]]) -> None:
        """Call `follow` until it returns True, each time its server is gone."""
        while True:
            try:
                if await follow():
                    return
            except grpc.aio.AioRpcError as error:
                if error.code() in (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.INVALID_ARGUMENT):
                    raise
            await asyncio.sleep(_RECONNECT_S)

    async def _answers(self, is_ours: Callable[[int], bool]) -> bool:
        # Another mesh may hold these sockets; ours will find that out and say so.
        async with channel(self._run.socket("supervisor")) as connection:
            stub = supervisor_grpc.SupervisorServiceStub(connection)
            listed = await stub.ListServices(supervisor_pb.ListServicesRequest(), timeout=5)
        return is_ours(listed.supervisor_pid)

    async def _services(self) -> bool:
        async with channel(self._run.socket("supervisor")) as connection:
            stub = supervisor_grpc.SupervisorServiceStub(connection)
            async for change in stub.WatchServices(supervisor_pb.WatchServicesRequest()):
                service = change.service
                earlier = self._view.services.get(service.name)
                self._view.services[service.name] = service
                if earlier is None or (earlier.state, earlier.pid) != (service.state, service.pid):
                    self._view.on_service(service)
        return False

    async def _ready(self) -> bool:
        async with channel(self._run.socket("supervisor")) as connection:
            stub = supervisor_grpc.SupervisorServiceStub(connection)
            await stub.WaitReady(supervisor_pb.WaitReadyRequest(), timeout=600)
        self._view.startup_s = time.monotonic() - self._started_s
        return True

    async def _addresses(self) -> bool:
        async with channel(self._run.socket("operator")) as connection:
            listed = await operator_grpc.OperatorServiceStub(connection).ListFeeds(operator_pb.ListFeedsRequest())
        for feed in listed.feeds:
            self._view.feeds[feed.name].address = feed.address
        return all(record.address for record in self._view.feeds.values())

    async def _rounds(self) -> bool:
        async with channel(self._run.socket("operator")) as connection:
            stub = operator_grpc.OperatorServiceStub(connection)
            async for response in stub.WatchRounds(operator_pb.WatchRoundsRequest()):
                self._accept(response.round)
        return False

    def _accept(self, accepted: operator_pb.Round) -> None:
        record = self._view.feeds[accepted.feed]
        identity = (accepted.feed, record.address, accepted.round_id)
        if identity in self._seen:
            return
        self._seen.add(identity)
        now_s = time.monotonic()
        start_s = self._view.starts.get((accepted.feed, accepted.epoch, accepted.round))
        record.add(accepted, now_s, None if start_s is None else (now_s - start_s) * 1000)
        if self._view.first_round_s is None:
            self._view.first_round_s = now_s - self._started_s
        self._view.on_round(accepted, record)
        if self._wanted_rounds and enough(self._view.feeds.values(), self._wanted_rounds):
            self.done.set()

    async def _starts(self, node: int) -> bool:
        async with channel(self._run.socket(f"chainlink-node-{node}")) as connection:
            stub = oracle_grpc.OracleServiceStub(connection)
            async for step in stub.WatchRounds(oracle_pb.WatchRoundsRequest()):
                if step.stage == oracle_pb.ROUND_STAGE_STARTED:
                    starts = self._view.starts
                    starts.setdefault((step.name, step.epoch, step.round), time.monotonic())
                    while len(starts) > _KEPT_STARTS:
                        del starts[next(iter(starts))]
        return False


async def fetch_references(solution: Solution, records: list[FeedRecord]) -> None:
    """
    Ask the market simulator for its own price of each feed at the time of the feed's last answer.

    Does nothing where no simulator runs. Raises aiohttp.ClientError if it does not answer.
    """
    if not solution.mesh.market.enabled:
        return
    base = f"http://127.0.0.1:{solution.mesh.market.port}/reference"
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        for record in records:
            pair = feeds.reference(record.name)
            if pair is None:
                continue
            query = {"pairs": pair}
            if record.last_block_time_ms:
                query["time_ms"] = str(record.last_block_time_ms)
            async with session.get(base, params=query, raise_for_status=True) as response:
                record.reference = format(Decimal((await response.json())["prices"][pair]), "f")
