"""
Every method of every service with any arguments, over real servers.

Wrong arguments are INVALID_ARGUMENT and name the field; nothing is UNKNOWN or INTERNAL, whatever is sent.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feedmesh.aggregator.v1 import quote_service_pb2_grpc as quote_grpc
from feedmesh.dbinit.v1 import database_service_pb2_grpc as database_grpc
from feedmesh.operator.v1 import operator_service_pb2_grpc as operator_grpc
from feedmesh.oracle.v1 import oracle_service_pb2_grpc as oracle_grpc
from feedmesh.supervisor.v1 import supervisor_service_pb2_grpc as supervisor_grpc
from meshkit.clock import SystemClock
from meshkit.configuration.faults.problem import InvalidConfiguration
from meshkit.configuration.load import load
from meshkit.paths import RunDir
from meshkit.rpc.server import MeshServer
from services.aggregator import service as quotes
from services.aggregator.engine.engine import Engine
from services.aggregator.metrics import open_registry
from services.dbinit import service as databases
from services.operator import service as operators
from services.operator.app import Operator
from services.operator.nodes import prepare_nodes
from services.oracle import service as oracles
from services.oracle.jobs.round_events import RoundEvents
from services.oracle.round_records.kept_rounds import KeptRounds
from services.oracle.round_records.store import RoundStore
from services.supervisor import service as supervisors
from services.supervisor.apply_configuration import Applier
from services.supervisor.config import LogSettings, Settings
from services.supervisor.errors import PlanRefused
from services.supervisor.plan.mesh_plan import MeshPlan
from services.supervisor.run_dir_lock import RunDirLock
from tests.aggregator.fakes import BTC, ETH, NAMES, ScriptedSource
from tests.aggregator.fakes import settings as aggregator_settings
from tests.dbinit.server import settings_in
from tests.meshkit.fuzzed_calls import Answer, call, methods, payloads
from tests.metrics.test_service import serving as serving_metrics
from tests.operator.conftest import _config_in
from tests.supervisor.fakes import oneshot, running, sleeper

pytestmark = pytest.mark.long(20)

METHODS = {f"{method.containing_service.full_name}/{method.name}": method for method in methods()}
# It ends what is asked; `test_a_shutdown_with_any_reason` has it.
_SHUTDOWN = "feedmesh.supervisor.v1.SupervisorService/Shutdown"
_NEVER = (grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNIMPLEMENTED)

Serve = Callable[[Path], AbstractAsyncContextManager[Path]]


@asynccontextmanager
async def _aggregator(directory: Path) -> AsyncIterator[Path]:
    sources = [ScriptedSource(name, prices={BTC: "100", ETH: "5"}) for name in NAMES]
    metrics = open_registry()
    engine = Engine(aggregator_settings(), sources, SystemClock(), metrics)
    server = MeshServer("price-aggregator", directory / "s.sock", registry=metrics, drain_s=0.1)
    server.add(quote_grpc.add_QuoteServiceServicer_to_server, quotes.QuoteService(engine), quotes.NAME)
    await engine.start()
    async with server:
        yield directory / "s.sock"
    await engine.close()


@asynccontextmanager
async def _supervisor(directory: Path) -> AsyncIterator[Path]:
    settings = Settings(RunDir(directory), LogSettings(directory / "logs"))
    specs = [sleeper("a"), oneshot("o", "seq 3000")]

    async def make_plan(path: Path) -> MeshPlan:
        try:
            load(path)
        except InvalidConfiguration as error:
            raise PlanRefused(str(error)) from error
        return MeshPlan(settings, tuple(specs))

    async with running(specs, directory) as mesh:
        applier = Applier(
            directory / "c", MeshPlan(settings, tuple(specs)), mesh.supervision, RunDirLock(settings.run_dir), make_plan
        )
        service = supervisors.SupervisorService(mesh.supervision, mesh.logs, applier)
        server = MeshServer("supervisor", directory / "s.sock", drain_s=0.1)
        server.add(supervisor_grpc.add_SupervisorServiceServicer_to_server, service, supervisors.NAME)
        async with server:
            yield directory / "s.sock"


@asynccontextmanager
async def _metrics(directory: Path) -> AsyncIterator[Path]:
    async with serving_metrics(directory):
        yield directory / "metrics.sock"


@asynccontextmanager
async def _dbinit(directory: Path) -> AsyncIterator[Path]:
    server = MeshServer("dbinit", directory / "s.sock", drain_s=0.1)
    # No server runs; where the programs are told to be there are none, so that none is made.
    service = databases.DatabaseService(settings_in(directory, bin_dir=directory))
    server.add(database_grpc.add_DatabaseServiceServicer_to_server, service, databases.NAME)
    async with server:
        yield directory / "s.sock"


@asynccontextmanager
async def _operator(directory: Path) -> AsyncIterator[Path]:
    config = _config_in(directory / "data")
    prepared = await prepare_nodes.prepare(config)
    service = operators.OperatorService(config, prepared)
    service.operator = Operator(config, prepared, SystemClock())
    server = MeshServer("operator", directory / "s.sock", drain_s=0.1)
    server.add(operator_grpc.add_OperatorServiceServicer_to_server, service, operators.NAME)
    async with server:
        yield directory / "s.sock"
    await service.operator.close()


@asynccontextmanager
async def _oracle(directory: Path) -> AsyncIterator[Path]:
    host: Any = SimpleNamespace(peer_id="peer", connected_peers=())
    spawner: Any = SimpleNamespace(all=list)
    nothing: Any = SimpleNamespace(fetch=_nothing, fetch_one=_nothing, execute_many=_nothing)
    fetcher: Any = None
    kept = KeptRounds(RoundStore(nothing, SystemClock()), lambda _name: None, fetcher)
    servicer = oracles.OracleServicer(host, {}, spawner, RoundEvents(), kept)
    server = MeshServer("chainlink-node-2", directory / "s.sock", drain_s=0.1)
    server.add(oracle_grpc.add_OracleServiceServicer_to_server, servicer, oracles.FULL_NAME)
    async with server:
        yield directory / "s.sock"


async def _nothing(*_asked: object) -> tuple[()]:
    return ()


SERVERS: dict[str, Serve] = {
    "feedmesh.aggregator.v1.QuoteService": _aggregator,
    "feedmesh.supervisor.v1.SupervisorService": _supervisor,
    "feedmesh.metrics.v1.ProcessMetricsService": _metrics,
    # Every process has it.
    "feedmesh.metrics.v1.MetricsPageService": _aggregator,
    "feedmesh.dbinit.v1.DatabaseService": _dbinit,
    "feedmesh.operator.v1.OperatorService": _operator,
    "feedmesh.oracle.v1.OracleService": _oracle,
}


def test_every_service_is_called() -> None:
    """A service that is new must have a server here."""
    assert {method.containing_service.full_name for method in METHODS.values()} == set(SERVERS)


def _judge(answer: Answer, name: str, payload: bytes) -> None:
    assert answer.code not in _NEVER, f"{name} answers {payload!r} with {answer.code.name}: {answer.details}"
    assert answer.code is not grpc.StatusCode.INVALID_ARGUMENT or answer.field, f"{name}: {answer.details}"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("service", SERVERS)
@settings(max_examples=150, suppress_health_check=list(HealthCheck), deadline=None)
@given(data=st.data())
def test_any_arguments(service: str, data: st.DataObject, fuzzed: "Fuzzed") -> None:
    """No call ends UNKNOWN or INTERNAL, and a wrong argument is named."""
    name = data.draw(
        st.sampled_from([name for name in METHODS if name.startswith(f"{service}/") and name != _SHUTDOWN])
    )
    payload = data.draw(payloads(METHODS[name]))
    _judge(fuzzed.call(SERVERS[service], name, payload), name, payload)


@settings(max_examples=20, suppress_health_check=list(HealthCheck), deadline=None)
@given(payload=payloads(METHODS[_SHUTDOWN]))
def test_a_shutdown_with_any_reason(payload: bytes, fuzzed: "Fuzzed") -> None:
    """It begins the stop or is a wrong argument, also while the mesh stops."""
    _judge(fuzzed.call(_supervisor, _SHUTDOWN, payload), _SHUTDOWN, payload)


class Fuzzed:
    """A loop in which one server answers many examples."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._runner = asyncio.Runner()
        self._serving: AbstractAsyncContextManager[Path] | None = None
        self._socket: Path | None = None

    def call(self, serve: Serve, name: str, payload: bytes) -> Answer:
        """Make a call of the server, which is started by the first one."""
        return self._runner.run(self._call(serve, name, payload))

    async def _call(self, serve: Serve, name: str, payload: bytes) -> Answer:
        if self._serving is None:
            self._serving = serve(self._directory)
            self._socket = await self._serving.__aenter__()
        assert self._socket is not None
        return await call(self._socket, METHODS[name], payload)

    def close(self) -> None:
        """Stop the server."""
        serving = self._serving
        if serving is not None:

            async def stop() -> None:
                await serving.__aexit__(None, None, None)

            self._runner.run(stop())
        self._runner.close()


@pytest.fixture(name="fuzzed")
def _fuzzed(run_dir: Path) -> Any:
    fuzzed = Fuzzed(run_dir)
    yield fuzzed
    fuzzed.close()
