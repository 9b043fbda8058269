"""What is shown of a running mesh, whatever its servers answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest

from cli.foreground.mesh_watcher import View, Watcher
from cli.foreground.run_report import FeedRecord
from feedmesh.operator.v1 import operator_service_pb2 as operator_pb
from feedmesh.operator.v1 import operator_service_pb2_grpc as operator_grpc
from feedmesh.oracle.v1 import oracle_service_pb2 as oracle_pb
from feedmesh.oracle.v1 import oracle_service_pb2_grpc as oracle_grpc
from feedmesh.supervisor.v1 import supervisor_service_pb2 as supervisor_pb
from feedmesh.supervisor.v1 import supervisor_service_pb2_grpc as supervisor_grpc
from meshkit.configuration.load import load
from meshkit.configuration.solution import Solution
from meshkit.rpc.server import MeshServer
from tests.waiting import until

VECTOR = Path(__file__).parents[2] / "vectors/configuration.signed.json"


def service(name: str, pid: int = 1) -> supervisor_pb.Service:
    """Return a healthy service."""
    return supervisor_pb.Service(name=name, pid=pid, state=supervisor_pb.SERVICE_STATE_HEALTHY)


class Supervisor(supervisor_grpc.SupervisorServiceServicer):
    """Tell the services there are, and their changes as the test makes them."""

    def __init__(self, *names: str) -> None:
        self.services = {name: service(name) for name in names}
        self.changes: asyncio.Queue[Any] = asyncio.Queue()

    async def ListServices(self, request: Any, context: Any) -> supervisor_pb.ListServicesResponse:
        return supervisor_pb.ListServicesResponse(services=self.services.values(), supervisor_pid=7)

    async def WaitReady(self, request: Any, context: Any) -> supervisor_pb.WaitReadyResponse:
        return supervisor_pb.WaitReadyResponse()

    async def WatchServices(self, request: Any, context: Any) -> AsyncIterator[supervisor_pb.WatchServicesResponse]:
        for each in self.services.values():
            yield supervisor_pb.WatchServicesResponse(service=each, snapshot=True)
        while True:
            change = await self.changes.get()
            if isinstance(change, grpc.StatusCode):
                await context.abort(change, "broken on purpose")
            yield change


class Operator(operator_grpc.OperatorServiceServicer):
    """Tell the feeds there are, and their rounds as the test makes them."""

    def __init__(self, *feeds: str) -> None:
        self.feeds = list(feeds)
        self.rounds: asyncio.Queue[Any] = asyncio.Queue()

    async def ListFeeds(self, request: Any, context: Any) -> operator_pb.ListFeedsResponse:
        return operator_pb.ListFeedsResponse(feeds=[operator_pb.Feed(name=name, address="0x1") for name in self.feeds])

    async def WatchRounds(self, request: Any, context: Any) -> AsyncIterator[operator_pb.WatchRoundsResponse]:
        while True:
            accepted = await self.rounds.get()
            if isinstance(accepted, grpc.StatusCode):
                await context.abort(accepted, "broken on purpose")
            yield operator_pb.WatchRoundsResponse(round=accepted)


class Oracle(oracle_grpc.OracleServiceServicer):
    """Begin one round for each who watches."""

    def __init__(self) -> None:
        self.watchers = 0

    async def WatchRounds(self, request: Any, context: Any) -> AsyncIterator[oracle_pb.WatchRoundsResponse]:
        self.watchers += 1
        try:
            yield oracle_pb.WatchRoundsResponse(name="BTC / USD", epoch=1, round=1, stage=oracle_pb.ROUND_STAGE_STARTED)
            await asyncio.Event().wait()
        finally:
            self.watchers -= 1


@dataclass
class Shown:
    """A mesh of pretended servers, and what its watcher has shown."""

    supervisor: Supervisor
    operator: Operator
    oracle: Oracle
    view: View
    watcher: Watcher
    task: asyncio.Task[None]
    services: list[str] = field(default_factory=list)
    rounds: list[tuple[str, int]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@pytest.fixture(name="solution")
def _solution(run_dir: Path) -> Solution:
    solution = load(VECTOR).solution
    mesh = solution.mesh.model_copy(update={"run_dir": run_dir, "feeds": ("BTC / USD",)})
    return solution.model_copy(update={"mesh": mesh})


@asynccontextmanager
async def shown(solution: Solution, rounds: int = 0) -> AsyncIterator[Shown]:
    """Watch a mesh with one feed and one oracle."""
    run_dir = solution.mesh.run_dir
    # What is not asked for is not there.
    supervisor = Supervisor("operator", "chainlink-node-1", "chainlink-node-2")  # type: ignore[abstract]
    operator, oracle = Operator("BTC / USD"), Oracle()  # type: ignore[abstract]
    async with AsyncExitStack() as stack:
        for name, register, servicer in (
            ("supervisor", supervisor_grpc.add_SupervisorServiceServicer_to_server, supervisor),
            ("operator", operator_grpc.add_OperatorServiceServicer_to_server, operator),
            ("chainlink-node-2", oracle_grpc.add_OracleServiceServicer_to_server, oracle),
        ):
            server = MeshServer(name, run_dir / f"{name}.sock", drain_s=0.1)
            server.add(register, servicer, name)
            await stack.enter_async_context(server)
        view = View(feeds={"BTC / USD": FeedRecord("BTC / USD")})
        watcher = Watcher(solution, view, 0.0, rounds)
        it = Shown(supervisor, operator, oracle, view, watcher, asyncio.create_task(watcher.run(lambda pid: pid == 7)))
        view.on_service = lambda service: it.services.append(service.name)
        view.on_round = lambda accepted, record: it.rounds.append((accepted.feed, accepted.round_id))
        view.on_problem = it.problems.append
        try:
            yield it
            assert not it.task.done(), "the watcher goes on"
        finally:
            it.task.cancel()
            await asyncio.gather(it.task, return_exceptions=True)


def accepted(feed: str, number: int) -> operator_pb.Round:
    """Return a round that a contract has accepted."""
    return operator_pb.Round(feed=feed, round_id=number, epoch=1, round=number, answer="1")


async def test_feeds_come_and_go(solution: Solution) -> None:
    """A round of a feed that nobody has named yet is shown; a feed that the operator no longer has is forgotten."""
    async with shown(solution) as it:
        await it.operator.rounds.put(accepted("BTC / USD", 1))
        it.operator.feeds = ["EUR / USD"]
        await it.operator.rounds.put(accepted("EUR / USD", 1))
        await until(lambda: len(it.rounds) == 2, "both rounds are shown")
        await until(lambda: ["EUR / USD"] == list(it.view.feeds), "the feed that is gone is forgotten")
        await until(lambda: "0x1" == it.view.feeds["EUR / USD"].address, "the new feed's contract is known")

        assert [("BTC / USD", 1), ("EUR / USD", 1)] == it.rounds
        assert [] == it.problems


async def test_another_operator_has_other_feeds(solution: Solution) -> None:
    """After its restart its feeds are asked for again, before any of them has a round."""
    async with shown(solution) as it:
        await until(lambda: bool(it.view.feeds["BTC / USD"].address), "the first feed's contract is known")
        it.operator.feeds = ["BTC / USD", "EUR / USD"]
        await it.supervisor.changes.put(supervisor_pb.WatchServicesResponse(service=service("operator", pid=2)))
        await until(lambda: "EUR / USD" in it.view.feeds, "the new feed is known")


async def test_services_and_nodes_come_and_go(solution: Solution) -> None:
    """A removed service is forgotten and no longer watched; one that comes is; a bootstrap node has no rounds."""
    async with shown(solution) as it:
        await until(lambda: it.oracle.watchers == 1, "the oracle is watched")
        gone = supervisor_pb.WatchServicesResponse(service=service("chainlink-node-2", pid=0), removed=True)
        await it.supervisor.changes.put(gone)
        await until(lambda: it.oracle.watchers == 0, "it is watched no longer")
        without = list(it.view.services)
        await it.supervisor.changes.put(supervisor_pb.WatchServicesResponse(service=service("chainlink-node-2", 3)))
        await until(lambda: it.oracle.watchers == 1, "it is watched again")

        assert ["operator", "chainlink-node-1"] == without
        assert "chainlink-node-2" in it.view.services


async def test_what_was_removed_while_nobody_looked_is_forgotten(solution: Solution) -> None:
    """A stream that is opened again begins with what there is now."""
    async with shown(solution) as it:
        await until(lambda: "chainlink-node-2" in it.view.services, "all services are known")
        del it.supervisor.services["chainlink-node-2"]
        await it.supervisor.changes.put(grpc.StatusCode.UNAVAILABLE)
        await until(lambda: "chainlink-node-2" not in it.view.services, "the removed one is forgotten")

        assert [] == it.problems


@pytest.mark.parametrize("code", [grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN])
async def test_a_server_that_fails_is_told_once_and_asked_again(solution: Solution, code: grpc.StatusCode) -> None:
    """Whatever it answers, the next round is shown."""
    async with shown(solution) as it:
        for _ in range(2):
            await it.operator.rounds.put(code)
        await it.operator.rounds.put(accepted("BTC / USD", 1))
        await until(lambda: [("BTC / USD", 1)] == it.rounds, "the round is shown")

        assert [f"a part of the mesh cannot be watched now: {code.name}: broken on purpose"] == it.problems


async def test_a_display_that_fails_changes_nothing(solution: Solution) -> None:
    """Rounds are counted and the run ends with them though no round and no problem can be shown."""
    async with shown(solution, rounds=2) as it:

        def fail(*news: object) -> None:
            raise BrokenPipeError(*news)

        it.view.on_service = it.view.on_round = it.view.on_problem = fail
        for number in (1, 2):
            await it.operator.rounds.put(accepted("BTC / USD", number))
        async with asyncio.timeout(30):
            await it.watcher.done.wait()

        assert 2 == it.view.feeds["BTC / USD"].rounds


async def test_a_round_is_timed_from_its_start_in_an_oracle(solution: Solution) -> None:
    """The time from the first oracle's start to the contract's acceptance is kept, and no round is counted twice."""
    async with shown(solution) as it:
        await until(lambda: bool(it.view.starts) and bool(it.view.feeds["BTC / USD"].address), "the round has begun")
        for _ in range(2):
            await it.operator.rounds.put(accepted("BTC / USD", 1))
        await it.operator.rounds.put(accepted("BTC / USD", 2))
        await until(lambda: len(it.rounds) == 2, "both rounds are shown")

        assert (2, 1) == (it.view.feeds["BTC / USD"].rounds, len(it.view.feeds["BTC / USD"].round_ms))
