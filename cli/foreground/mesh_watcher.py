"""Follow a running mesh over gRPC: service states, accepted rounds, the oracles' own view of rounds."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal

import grpc
import grpc.aio

from cli.embedded import feeds
from cli.foreground.run_report import FeedRecord, enough
from feedmesh.operator.v1 import operator_service_pb2 as operator_pb
from feedmesh.operator.v1 import operator_service_pb2_grpc as operator_grpc
from feedmesh.oracle.v1 import oracle_service_pb2 as oracle_pb
from feedmesh.oracle.v1 import oracle_service_pb2_grpc as oracle_grpc
from feedmesh.supervisor.v1 import supervisor_service_pb2 as supervisor_pb
from feedmesh.supervisor.v1 import supervisor_service_pb2_grpc as supervisor_grpc
from meshkit.configuration.solution import Solution
from meshkit.paths import RunDir
from meshkit.rpc.client import channel

_RECONNECT_S = 0.5
_NODE = "chainlink-node-"
_MOST_PROBLEMS = 20
# What a server answers that is not there, is being restarted, or has more to do than there was time for.
_EXPECTED = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.FAILED_PRECONDITION,
)
# Round starts older than this cannot belong to a report that is still to be accepted.
_KEPT_STARTS = 200


@dataclass(slots=True)
class View:
    """What is known of the mesh at this moment; feeds, services and nodes come and go with its configuration."""

    feeds: dict[str, FeedRecord]
    services: dict[str, supervisor_pb.Service] = field(default_factory=dict)
    startup_s: float | None = None
    first_round_s: float | None = None
    starts: dict[tuple[str, int, int], float] = field(default_factory=dict)
    # Called for what a person may want to see.
    on_service: Callable[[supervisor_pb.Service], None] = lambda service: None
    on_round: Callable[[operator_pb.Round, FeedRecord], None] = lambda accepted, record: None
    on_problem: Callable[[str], None] = lambda text: None


class Watcher:
    """
    Keep a View up to date until cancelled, whatever the servers answer.

    A broken stream is opened again: its server is being restarted. A follower that fails otherwise tells so once and
    goes on: it is not the mesh that has failed.
    """

    def __init__(self, solution: Solution, view: View, started_s: float, wanted_rounds: int) -> None:
        self._solution = solution
        self._run = RunDir(solution.mesh.run_dir)
        self._view = view
        self._started_s = started_s
        self._wanted_rounds = wanted_rounds
        self._seen: set[tuple[str, str, int]] = set()
        self._told: set[str] = set()
        self._nodes: dict[str, asyncio.Task[None]] = {}
        self._feeds_changed = asyncio.Event()
        self.done = asyncio.Event()

    async def run(self, is_ours: Callable[[int], bool]) -> None:
        """Follow everything, once a supervisor answers whose process id is ours."""
        await self._again(lambda: self._answers(is_ours))
        try:
            async with asyncio.TaskGroup() as group:
                for follow in (self._services, self._ready, self._feeds, self._rounds):
                    group.create_task(self._again(follow))
        finally:
            for name in list(self._nodes):
                self._forget_node(name)

    async def _again(self, follow: Callable[[], Awaitable[bool]]) -> None:
        """Call `follow` until it returns True, each time its server is gone or it failed."""
        while True:
            try:
                if await follow():
                    return
            except grpc.aio.AioRpcError as error:
                if error.code() not in _EXPECTED:
                    self._tell(f"{error.code().name}: {error.details()}")
            except Exception as error:  # a defect of ours: it must cost a line, not the mesh
                self._tell(repr(error))
            await asyncio.sleep(_RECONNECT_S)

    def _tell(self, problem: str) -> None:
        if problem not in self._told and len(self._told) < _MOST_PROBLEMS:
            self._told.add(problem)
            self._show(self._view.on_problem, f"a part of the mesh cannot be watched now: {problem}")

    def _show(self, show: Callable[..., None], *news: object) -> None:
        """Give somebody news; what they do with it is their own affair."""
        try:
            show(*news)
        except Exception as error:  # a terminal that is gone, a defect of a table
            if show is not self._view.on_problem:
                self._tell(repr(error))

    async def _answers(self, is_ours: Callable[[int], bool]) -> bool:
        # Another mesh may hold these sockets; ours will find that out and say so.
        async with channel(self._run.socket("supervisor")) as connection:
            stub = supervisor_grpc.SupervisorServiceStub(connection)
            listed = await stub.ListServices(supervisor_pb.ListServicesRequest(), timeout=5)
        return is_ours(listed.supervisor_pid)

    async def _services(self) -> bool:
        async with channel(self._run.socket("supervisor")) as connection:
            stub = supervisor_grpc.SupervisorServiceStub(connection)
            listed = await stub.ListServices(supervisor_pb.ListServicesRequest())
            for gone in self._view.services.keys() - {service.name for service in listed.services}:
                self._forget_service(gone)
            async for change in stub.WatchServices(supervisor_pb.WatchServicesRequest()):
                self._take_service(change)
        return False

    def _take_service(self, change: supervisor_pb.WatchServicesResponse) -> None:
        service = change.service
        earlier = self._view.services.get(service.name)
        self._view.services[service.name] = service
        if earlier is None or (earlier.state, earlier.pid) != (service.state, service.pid):
            if service.name == "operator":
                self._feeds_changed.set()
            self._show(self._view.on_service, service)
        if change.removed:
            self._forget_service(service.name)
        elif service.name not in self._nodes and self._is_oracle(service.name):
            self._nodes[service.name] = asyncio.create_task(self._again(lambda: self._starts(service.name)))

    def _forget_service(self, name: str) -> None:
        self._view.services.pop(name, None)
        self._forget_node(name)

    def _forget_node(self, name: str) -> None:
        if (task := self._nodes.pop(name, None)) is not None:
            task.cancel()

    def _is_oracle(self, name: str) -> bool:
        number = name.removeprefix(_NODE)
        return name.startswith(_NODE) and number.isdecimal() and int(number) > self._solution.bootstrap_nodes

    async def _ready(self) -> bool:
        async with channel(self._run.socket("supervisor")) as connection:
            stub = supervisor_grpc.SupervisorServiceStub(connection)
            await stub.WaitReady(supervisor_pb.WaitReadyRequest(), timeout=600)
        self._view.startup_s = time.monotonic() - self._started_s
        return True

    async def _feeds(self) -> bool:
        """Learn which feeds there are and where their contracts are, again whenever the operator is another."""
        self._feeds_changed.clear()
        async with channel(self._run.socket("operator")) as connection:
            listed = await operator_grpc.OperatorServiceStub(connection).ListFeeds(operator_pb.ListFeedsRequest())
        for feed in listed.feeds:
            self._record(feed.name).address = feed.address
        for gone in self._view.feeds.keys() - {feed.name for feed in listed.feeds}:
            del self._view.feeds[gone]
        if all(record.address for record in self._view.feeds.values()):
            await self._feeds_changed.wait()
        return False

    def _record(self, feed: str) -> FeedRecord:
        return self._view.feeds.setdefault(feed, FeedRecord(feed))

    async def _rounds(self) -> bool:
        async with channel(self._run.socket("operator")) as connection:
            stub = operator_grpc.OperatorServiceStub(connection)
            async for response in stub.WatchRounds(operator_pb.WatchRoundsRequest()):
                self._accept(response.round)
        return False

    def _accept(self, accepted: operator_pb.Round) -> None:
        if accepted.feed not in self._view.feeds:
            self._feeds_changed.set()
        record = self._record(accepted.feed)
        identity = (accepted.feed, record.address, accepted.round_id)
        if identity in self._seen:
            return
        self._seen.add(identity)
        now_s = time.monotonic()
        start_s = self._view.starts.get((accepted.feed, accepted.epoch, accepted.round))
        record.add(accepted, now_s, None if start_s is None else (now_s - start_s) * 1000)
        if self._view.first_round_s is None:
            self._view.first_round_s = now_s - self._started_s
        if self._wanted_rounds and enough(self._view.feeds.values(), self._wanted_rounds):
            self.done.set()
        self._show(self._view.on_round, accepted, record)

    async def _starts(self, node: str) -> bool:
        async with channel(self._run.socket(node)) as connection:
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
    # Only at the end of some runs, and a third of what a run's start would load.
    import aiohttp

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
