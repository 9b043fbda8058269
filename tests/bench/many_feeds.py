"""
Many feeds on five nodes: the whole mesh as a person runs it, every part the real process.

A round need not end in a contract: where a market is closed, as that of shares is at night and at weekends, nothing is
reported but the heartbeat. So the rounds that an oracle took part in are counted beside those that contracts took.

    python -m tests.bench.many_feeds [COUNT …]   other numbers of feeds than all of them
"""

import asyncio
import contextlib
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import grpc.aio
import psutil
from rich.console import Console

from cli.embedded import feeds, timing
from feedmesh.operator.v1 import operator_service_pb2 as operator_pb
from feedmesh.operator.v1 import operator_service_pb2_grpc as operator_grpc
from feedmesh.oracle.v1 import oracle_service_pb2 as oracle_pb
from feedmesh.oracle.v1 import oracle_service_pb2_grpc as oracle_grpc
from feedmesh.supervisor.v1 import supervisor_service_pb2 as supervisor_pb
from feedmesh.supervisor.v1 import supervisor_service_pb2_grpc as supervisor_grpc
from meshkit.paths import DataDir
from meshkit.rpc.client import channel
from tests.bench import processor_reference
from tests.bench.report import Report, Row
from tests.mesh.running import Mesh, running
from tests.waiting import until

_START_S = 900
_STARTED = oracle_pb.ROUND_STAGE_STARTED
# Each feed has at least four rounds in it.
_LEAST_ROUNDS = 4
_LEAST_S = 60.0
# Of the rounds that deltaRound gives room for; one may be cut by either end of the time that is measured.
_LEAST_SHARE = 0.95
# From nothing: contracts, their configurations, and a job of each on every node.
_JOBS_MADE_S = 45.0
_FEW_FEEDS, _FEW_FEEDS_MB, _MANY_FEEDS_MB = 3, 95.0, 115.0
_ORACLES = ("chainlink-node-2", "chainlink-node-3", "chainlink-node-4", "chainlink-node-5")


@dataclass(frozen=True, slots=True)
class Written:
    """Hold what the nodes' databases have taken so far: transactions, rows, and bytes of the write-ahead log."""

    transactions: int
    rows: int
    wal_bytes: int


@dataclass(frozen=True, slots=True)
class Used:
    """Hold the processor time of each service so far, PostgreSQL with its backends."""

    cpu_s: dict[str, float]
    rss_mb: dict[str, float]


def run() -> Report:
    """Measure as many feeds as the simulated market prices."""
    return measure(feeds.parse(feeds.ALL))


def measure(names: tuple[str, ...]) -> Report:
    """Run a mesh of these feeds and measure it while all of them have rounds."""
    with running("--feeds", ",".join(names)) as mesh:
        return asyncio.run(_measure(mesh, names))


async def _measure(mesh: Mesh, names: tuple[str, ...]) -> Report:
    began_s = time.monotonic()
    counted: Counter[str] = Counter()
    stages: Counter[int] = Counter()
    counting = asyncio.gather(_count(mesh, counted), _count_stages(mesh, stages))
    try:
        reached_s = {}
        for phase in (operator_pb.FEED_PHASE_CONFIGURED, operator_pb.FEED_PHASE_RUNNING):
            await until(lambda phase=phase: _all_reached(mesh, phase, len(names)), f"phase {phase}", _START_S)  # type: ignore[misc]
            reached_s[phase] = time.monotonic() - began_s
        await until(lambda: len(counted) == len(names), "a round of every feed", _START_S)
        first_s = time.monotonic() - began_s
        window_s = max(_LEAST_S, _LEAST_ROUNDS * timing.round_ms(len(names)) / 1000)
        used, written, rounds, before = await _used(mesh), await _written(mesh), counted.copy(), stages.copy()
        started_s = time.monotonic()
        await asyncio.sleep(window_s)
        minutes = (time.monotonic() - started_s) / 60
        used_after, written_after, rounds_after = await _used(mesh), await _written(mesh), counted - rounds
        seen = stages - before
    finally:
        counting.cancel()
        await asyncio.gather(counting, return_exceptions=True)
    cpu_percent = {
        name: (total_s - used.cpu_s.get(name, 0.0)) / minutes / 60 * 100 for name, total_s in used_after.cpu_s.items()
    }
    made, wanted = rounds_after.total(), len(names) * 60_000 / timing.round_ms(len(names))
    reported = seen[oracle_pb.ROUND_STAGE_FINALIZED]
    oracles_s = sum(used_after.cpu_s[name] - used.cpu_s[name] for name in _ORACLES)
    most_mb = _FEW_FEEDS_MB if len(names) <= _FEW_FEEDS else _MANY_FEEDS_MB
    round_ms = sum(cpu_percent.values()) / 100 * minutes * 60_000 / seen[_STARTED]
    rows = (
        Row("feeds", len(names), "feeds"),
        Row("start to all contracts configured", reached_s[operator_pb.FEED_PHASE_CONFIGURED], "s"),
        Row("start to all jobs made", reached_s[operator_pb.FEED_PHASE_RUNNING], "s", at_most=_JOBS_MADE_S),
        Row("start to a round of every feed", first_s, "s"),
        Row("rounds of an oracle", seen[_STARTED] / minutes, "rounds/min", at_least=wanted * _LEAST_SHARE),
        Row("  without news to report", seen[oracle_pb.ROUND_STAGE_COMPLETED] / minutes, "rounds/min"),
        Row("rounds that contracts took", made / minutes, "rounds/min", at_least=reported * _LEAST_SHARE / minutes),
        Row("feeds without a round meanwhile", sum(not rounds_after[name] for name in names), "feeds", at_most=0),
        Row("CPU of the whole mesh, 100 is one core", sum(cpu_percent.values()), "%", at_most=200),
        *(Row(f"  {name}", percent, "%") for name, percent in sorted(cpu_percent.items()) if percent >= 0.5),
        Row("processor time a round, of all processes", round_ms, "ms/round", more_is_better=False),
        Row("  of the reference work", round_ms / processor_reference.measure_ms(), "ratio", more_is_better=False),
        Row("processor time of an oracle", oracles_s * 1000 / len(_ORACLES) / max(1, seen[_STARTED]), "ms/round"),
        Row("RSS of an oracle node, largest", max(used_after.rss_mb[name] for name in _ORACLES), "MB", at_most=most_mb),
        Row("RSS of the bootstrap node", used_after.rss_mb["chainlink-node-1"], "MB", at_most=most_mb),
        *(
            Row(f"RSS of {name}", used_after.rss_mb[name], "MB")
            for name in ("price-aggregator", "operator", "process-metrics")
        ),
        Row("rows written a round", (written_after.rows - written.rows) / made, "rows"),
        Row("transactions of the databases", (written_after.transactions - written.transactions) / minutes, "1/min"),
        Row("write-ahead log", (written_after.wal_bytes - written.wal_bytes) / minutes / 1e6, "MB/min"),
    )
    notes = (
        f"measured over {minutes * 60:.0f} s; deltaRound is {timing.round_ms(len(names))} ms, which the embedded "
        "profile chooses by the number of feeds",
        "rows and transactions are those of all four oracles together",
    )
    return Report(f"{len(names)} feeds on 5 nodes", rows, notes)


async def _count(mesh: Mesh, counted: Counter[str]) -> None:
    while True:
        with contextlib.suppress(grpc.aio.AioRpcError):
            async with channel(mesh.run_dir / "operator.sock") as connection:
                stub = operator_grpc.OperatorServiceStub(connection)
                async for response in stub.WatchRounds(operator_pb.WatchRoundsRequest()):
                    counted[response.round.feed] += 1
        await asyncio.sleep(0.5)


async def _count_stages(mesh: Mesh, stages: Counter[int]) -> None:
    """Count what one oracle says of its rounds."""
    while True:
        with contextlib.suppress(grpc.aio.AioRpcError):
            async with channel(mesh.run_dir / f"{_ORACLES[0]}.sock") as connection:
                stub = oracle_grpc.OracleServiceStub(connection)
                async for response in stub.WatchRounds(oracle_pb.WatchRoundsRequest()):
                    stages[response.stage] += 1
        await asyncio.sleep(0.5)


async def _all_reached(mesh: Mesh, phase: int, count: int) -> bool:
    if mesh.process.poll() is not None:
        raise RuntimeError(f"the mesh ended: {mesh.text()[-2000:]}")
    # Asking is work for the operator, which has more to do.
    await asyncio.sleep(5)
    try:
        async with channel(mesh.run_dir / "operator.sock") as connection:
            stub = operator_grpc.OperatorServiceStub(connection)
            listed = await stub.ListFeeds(operator_pb.ListFeedsRequest(), timeout=20)
    except grpc.aio.AioRpcError:
        return False
    return sum(feed.phase >= phase for feed in listed.feeds) == count


async def _used(mesh: Mesh) -> Used:
    async with channel(mesh.run_dir / "supervisor.sock") as connection:
        stub = supervisor_grpc.SupervisorServiceStub(connection)
        listed = await stub.ListServices(supervisor_pb.ListServicesRequest(), timeout=20)
    roots = {service.name: service.pid for service in listed.services if service.pid}
    roots["supervisor"] = listed.supervisor_pid
    cpu_s, rss_mb = {}, {}
    for name, pid in roots.items():
        process = psutil.Process(pid)
        family = [process, *(process.children(recursive=True) if name != "supervisor" else ())]
        total_s = 0.0
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                times = member.cpu_times()
                # What ended children used is in their parent's account.
                total_s += times.user + times.system
                if member is process and name != "supervisor":
                    total_s += times.children_user + times.children_system
        cpu_s[name], rss_mb[name] = total_s, process.memory_info().rss / 1e6
    return Used(cpu_s, rss_mb)


async def _written(mesh: Mesh) -> Written:
    transactions = rows = 0
    async with _superuser(mesh, "postgres") as connection:
        wal_bytes = await connection.fetchval("SELECT wal_bytes FROM pg_stat_wal")
        for record in await connection.fetch(
            "SELECT xact_commit, tup_inserted + tup_updated + tup_deleted AS rows FROM pg_stat_database"
            " WHERE datname LIKE 'chainlink_node_%'"
        ):
            transactions += record["xact_commit"]
            rows += record["rows"]
    return Written(transactions, rows, int(wal_bytes))


@contextlib.asynccontextmanager
async def _superuser(mesh: Mesh, database: str) -> AsyncIterator[asyncpg.Connection]:
    directory = DataDir(mesh.data_dir).postgres
    password = (directory / "superuser-password").read_text().strip()
    connection = await asyncpg.connect(
        host=str(directory / "socket"), port=_port(directory), user="feedmesh", password=password, database=database
    )
    try:
        yield connection
    finally:
        await connection.close()


def _port(directory: Path) -> int:
    (socket,) = (path for path in (directory / "socket").glob(".s.PGSQL.*") if path.suffix != ".lock")
    return int(socket.suffix[1:])


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        measure(feeds.parse(feeds.ALL)[: int(argument)]).show(Console(width=120))
    if not sys.argv[1:]:
        run().show(Console(width=120))
