"""What the mesh tells by itself, against real gRPC servers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from feedmesh.operator.v1 import operator_service_pb2 as operator
from feedmesh.operator.v1 import operator_service_pb2_grpc as operator_grpc
from feedmesh.oracle.v1 import oracle_service_pb2 as oracle
from feedmesh.oracle.v1 import oracle_service_pb2_grpc as oracle_grpc
from feedmesh.supervisor.v1 import supervisor_service_pb2 as supervisor
from feedmesh.supervisor.v1 import supervisor_service_pb2_grpc as supervisor_grpc
from meshkit.clock import ManualClock
from meshkit.ocr.hops import Moment
from meshkit.paths import RunDir
from meshkit.rpc.server import MeshServer
from services.metrics.page.content.seen import MeshSeen
from services.metrics.page.content.tables import Choice
from services.metrics.page.live.audience import Audience
from services.metrics.page.live.following import Following
from tests.metrics.page.meshes import NOW_S, mesh


class _Supervisor(supervisor_grpc.SupervisorServiceServicer):
    """Tell two states, one of them a snapshot."""

    async def WatchServices(self, request: Any, context: Any) -> AsyncIterator[supervisor.WatchServicesResponse]:
        well = supervisor.Service(name="chainlink-node-2", state=supervisor.SERVICE_STATE_HEALTHY)
        killed = supervisor.Service(name="chainlink-node-2", state=supervisor.SERVICE_STATE_BACKOFF)
        yield supervisor.WatchServicesResponse(sequence=4, service=well, snapshot=True)
        yield supervisor.WatchServicesResponse(sequence=5, service=killed)
        await asyncio.Event().wait()


class _Operator(operator_grpc.OperatorServiceServicer):
    """Tell a round that node 3 transmitted."""

    async def WatchRounds(self, request: Any, context: Any) -> AsyncIterator[operator.WatchRoundsResponse]:
        accepted = operator.Round(
            feed="BTC / USD",
            round_id=12,
            answer="7.5",
            epoch=4,
            round=1,
            transmitter="chainlink-node-3",
            observers=["chainlink-node-2"],
        )
        accepted.block_time.seconds = NOW_S
        yield operator.WatchRoundsResponse(round=accepted)
        await asyncio.Event().wait()


class _Oracle(oracle_grpc.OracleServiceServicer):
    """Keep one round, and what was asked for."""

    def __init__(self, *stages: "oracle.RoundStage.ValueType") -> None:
        self.asked: list[oracle.ListRoundsRequest] = []
        self._stages = stages

    async def ListRounds(self, request: oracle.ListRoundsRequest, context: Any) -> oracle.ListRoundsResponse:
        self.asked.append(request)
        kept = oracle.RoundRecord(name=request.name, epoch=4, round=1, n=4, f=1)
        for index, stage in enumerate(self._stages):
            moment = kept.moments.add(stage=stage)
            moment.time.FromMilliseconds(NOW_S * 1000 + index * 100)
        return oracle.ListRoundsResponse(rounds=[kept])


class _Clock(ManualClock):
    """Let no pause last, and tell when there were some."""

    def __init__(self, start_ms: int) -> None:
        super().__init__(start_ms)
        self.pauses = asyncio.Semaphore(0)

    async def sleep(self, seconds: float) -> None:
        self.pauses.release()
        await asyncio.sleep(0)


class _Mesh:
    """The servers, what the page sees of them, and who follows them."""

    def __init__(self, seen: MeshSeen, audience: Audience, following: Following, clock: _Clock) -> None:
        self.seen, self.audience, self.following, self.clock = seen, audience, following, clock
        self.nodes: dict[str, _Oracle] = {}

    async def until(self, follow: Any, is_there: Any) -> None:
        """Follow until something is seen."""
        task = asyncio.create_task(follow())
        try:
            while not is_there():
                changed = asyncio.create_task(self.seen.changed_since(self.seen.version))
                done, _ = await asyncio.wait({changed, task}, return_when=asyncio.FIRST_COMPLETED)
                assert changed in done, "the following ended before anything was seen"
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(name="served")
async def _served(run_dir: Path) -> AsyncIterator[_Mesh]:
    """Serve supervisor, operator and two nodes; a third node is not there."""
    paths, clock, seen = RunDir(run_dir), _Clock((NOW_S + 3) * 1000), mesh()
    seen.ways.clear()
    audience = Audience(clock)
    nodes = {
        "chainlink-node-2": _Oracle(oracle.ROUND_STAGE_OBSERVED, oracle.ROUND_STAGE_FINALIZED),  # type: ignore[abstract]
        "chainlink-node-3": _Oracle(oracle.ROUND_STAGE_OBSERVED, oracle.ROUND_STAGE_HANDED_OVER),  # type: ignore[abstract]
    }
    async with AsyncExitStack() as stack:
        servers: list[tuple[str, Any, Any, str]] = [
            ("supervisor", supervisor_grpc.add_SupervisorServiceServicer_to_server, _Supervisor(), "s"),  # type: ignore[abstract]
            ("operator", operator_grpc.add_OperatorServiceServicer_to_server, _Operator(), "o"),  # type: ignore[abstract]
            *((node, oracle_grpc.add_OracleServiceServicer_to_server, each, "n") for node, each in nodes.items()),
        ]
        for socket, add, servicer, name in servers:
            server = MeshServer(socket, paths.socket(socket), drain_s=0)
            server.add(add, servicer, name)
            await server.start()
            stack.push_async_callback(server.stop)
        oracles = [*nodes, "chainlink-node-4"]
        following = await stack.enter_async_context(Following(paths, oracles, seen, audience, clock))
        found = _Mesh(seen, audience, following, clock)
        found.nodes = nodes
        yield found


async def _some_turns(served: _Mesh) -> None:
    """Let the ways be looked for several times, each to its end."""
    task = asyncio.create_task(served.following.ways())
    for _ in range(5):
        await served.clock.pauses.acquire()
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_kill_is_seen_when_the_supervisor_tells_it(served: _Mesh) -> None:
    """Each change of a service is taken in as it is told; when the supervisor is gone, answers count again."""
    seen = served.seen

    def is_killed() -> bool:
        return seen.services["chainlink-node-2"].state == supervisor.SERVICE_STATE_BACKOFF

    await served.until(served.following.services, is_killed)
    assert not seen.live_services


async def test_a_round_and_its_way_are_seen(served: _Mesh) -> None:
    """A round is shown as it is told; its transmitter and one observer are asked for its way, a few times at most."""
    seen = served.seen
    await served.until(served.following.rounds, lambda: seen.feeds["BTC / USD"].round_id == 12)
    assert "7.5" == seen.feeds["BTC / USD"].answer

    with served.audience.joined(Choice("BTC")):
        await served.until(served.following.ways, lambda: "BTC / USD" in seen.ways)
        await _some_turns(served)
    way = seen.ways["BTC / USD"]
    at_ms = NOW_S * 1000
    expected = {Moment.OBSERVED: at_ms, Moment.SIGNED: at_ms + 100, Moment.TRANSMITTED: at_ms + 100}
    assert (12, expected) == (way.round_id, way.moments_ms)
    for node in served.nodes.values():
        # No node knows a block that has it.
        assert [("BTC / USD", 4, 1)] * 3 == [(each.name, each.epoch, each.round) for each in node.asked]


async def test_the_last_round_before_the_first_look_has_a_way(served: _Mesh) -> None:
    """Of a round that nobody told us of, nodes are asked for the last one before its block; a silent one is borne."""
    with served.audience.joined(Choice()):
        await served.until(served.following.ways, lambda: "BTC / USD" in served.seen.ways)

    assert 9 == served.seen.ways["BTC / USD"].round_id
    (asked,) = served.nodes["chainlink-node-2"].asked
    assert (NOW_S - 7 + 1) * 1000 == asked.until.ToMilliseconds()


async def test_nobody_asks_for_what_nobody_sees(served: _Mesh) -> None:
    """A feed that is on no viewer's page costs no question, nor does one without a round."""
    with served.audience.joined(Choice("ETH")):
        await _some_turns(served)

    assert [[], []] == [node.asked for node in served.nodes.values()]
