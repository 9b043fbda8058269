"""
What it costs to be seen: the push of all metrics, and the rounds that nodes keep for `feedmesh explain`.

Three parts, of one run of a whole mesh, each in processor time, which other work on the machine leaves as it is:

    the metrics service    with the push and without it, in turn, by `feedmesh apply`
    a page of metrics      what each process spends on one, in a burst of readings; it has one in each interval
    a kept round           what a mesh keeps of its rounds, noted and written again into a database of its own

    python -m tests.bench.observing [COUNT …]   other numbers of feeds than three
"""

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import aiohttp
import psutil
from rich.console import Console

from cli.embedded import feeds, timing
from feedmesh.oracle.v1 import oracle_service_pb2 as oracle_pb
from feedmesh.oracle.v1 import oracle_service_pb2_grpc as oracle_grpc
from meshkit.clock import SystemClock
from meshkit.configuration.aggregator import ProcessMetricsPush
from meshkit.configuration.load import load
from meshkit.rpc.client import channel
from services.metrics.config import from_configuration
from services.metrics.gathering.target import HttpTarget, SocketTarget, Target
from services.oracle.round_records.store import RoundKey, RoundStore
from services.oracle.store.database import Database
from services.oracle.store.migrations import migrate
from tests.bench.report import Report, Row
from tests.mesh.monitoring.pushing_mesh import pushing_mesh
from tests.mesh.running import FEEDMESH, Mesh, wait_until
from tests.monitoring_programs import victoria_metrics

FEEDS: Final = ("BTC / USD", "ETH / USD", "EUR / USD")
# Of a core, all processes together.
_MOST_PERCENT = {3: 2.0, 260: 5.0}
_WINDOW_S, _WINDOWS, _SETTLE_S = 30.0, 3, 10.0
_READINGS = 40
_WRITTEN, _FLUSH_EVERY_S = 3_000, 5.0
_ORACLES: Final = 4
_PATIENCE_S = 900.0


def run() -> Report:
    """Measure three feeds."""
    return measure(FEEDS)


def measure(names: tuple[str, ...]) -> Report:
    """Run a mesh of these feeds that pushes to a VictoriaMetrics, and measure the parts."""
    with tempfile.TemporaryDirectory(prefix="feedmesh-observing-") as place:
        store = victoria_metrics(Path(place))
        store.start()
        try:
            with pushing_mesh(names, {"url": f"{store.url}/api/v1/import/prometheus"}) as mesh:
                mesh.first_rounds(names, _PATIENCE_S)
                return _measure(mesh, names)
        finally:
            store.stop()


def _measure(mesh: Mesh, names: tuple[str, ...]) -> Report:
    section = ProcessMetricsPush()
    with_push, without = [], []
    for _ in range(_WINDOWS):
        with_push.append(_metrics_percent(mesh, enabled=True))
        without.append(_metrics_percent(mesh, enabled=False))
    pages = asyncio.run(_page_costs_ms(mesh))
    pages_percent = sum(pages.values()) / section.gather_interval_ms * 100
    sent_percent = statistics.median(on - off for on, off in zip(with_push, without, strict=True))
    rounds_s = _ORACLES * len(names) / (timing.round_ms(len(names)) / 1000)
    # As in a node: what came in some seconds is written together.
    round_ms = asyncio.run(_kept_round_ms(mesh, names, max(1, round(rounds_s / _ORACLES * _FLUSH_EVERY_S))))
    kept_percent = round_ms * rounds_s / 10
    most = next((percent for count, percent in _MOST_PERCENT.items() if count >= len(names)), None)
    slowest = max(pages, key=lambda name: pages[name])
    rows = (
        Row("push and kept rounds together", sent_percent + pages_percent + kept_percent, "% of a core", at_most=most),
        Row("the metrics service: gathering and sending", sent_percent, "% of a core"),
        Row("  with the push", statistics.median(with_push), "% of a core"),
        Row("  without it", statistics.median(without), "% of a core"),
        Row("pages of all other processes", pages_percent, "% of a core"),
        Row(f"  the dearest page, {slowest}", pages[slowest], "ms of processor time"),
        Row("rounds that are kept", kept_percent, "% of a core"),
        Row("  one round at one oracle", round_ms, "ms of processor time"),
        Row("  rounds of all oracles", rounds_s, "rounds/s"),
    )
    notes = (
        f"{_WINDOWS} windows of {_WINDOW_S:.0f} s with the push and without it in turn; the medians of both, and of "
        "their differences",
        f"each page was read {_READINGS} times; it is read every {section.gather_interval_ms / 1000:.0f} s",
        "a kept round has its transactions and bridge answers, and PostgreSQL's part in it",
    )
    return Report(f"cost of observing, {len(names)} feeds on 5 nodes", rows, notes)


def _metrics_percent(mesh: Mesh, *, enabled: bool) -> float:
    """Return the share of a core that the metrics service takes, with the push or without it."""
    config = mesh.directory / "data" / "configuration.json"
    document = json.loads(config.read_text())
    if document["solution"]["metricsPush"]["enabled"] != enabled:
        document["solution"]["metricsPush"]["enabled"] = enabled
        changed = mesh.directory / f"push-{enabled}.json"
        changed.write_text(json.dumps(document))
        before = mesh.status()["process-metrics"]["pid"]
        subprocess.run(
            [*FEEDMESH, "apply", "--config", str(changed), "--run-dir", str(mesh.run_dir)],
            check=True,
            capture_output=True,
            timeout=_PATIENCE_S,
        )
        config.write_text(json.dumps(document))

        def again() -> bool:
            now = mesh.status()["process-metrics"]
            return bool(now["state"] == "healthy" and now["pid"] != before)

        wait_until("the metrics service is back", again, _PATIENCE_S)
    time.sleep(_SETTLE_S)
    process = psutil.Process(mesh.status()["process-metrics"]["pid"])
    began_s, used_s = time.monotonic(), _used_s(process)
    time.sleep(_WINDOW_S)
    return 100 * (_used_s(process) - used_s) / (time.monotonic() - began_s)


async def _page_costs_ms(mesh: Mesh) -> dict[str, float]:
    """Return what one page costs each process, in milliseconds of processor time beyond what it spends anyway."""
    pids = {name: service["pid"] for name, service in mesh.status().items() if service["pid"]}
    config = from_configuration(load(mesh.data_dir / "configuration.json"))
    found = {}
    async with aiohttp.ClientSession() as session:
        targets: list[Target] = [HttpTarget(name, url, session) for name, url in config.pages.items()]
        targets += [SocketTarget(name, mesh.run_dir / f"{name}.sock") for name in ("dbinit", "operator")]
        for target in targets:
            # The databases' page is PostgreSQL's work too.
            roots = [pids[target.service], *([pids["postgres"]] if target.service == "dbinit" else [])]
            processes = [psutil.Process(pid) for pid in roots]
            began_s, used_s = time.monotonic(), sum(map(_used_s, processes))
            await asyncio.sleep(5)
            idle = (sum(map(_used_s, processes)) - used_s) / (time.monotonic() - began_s)
            began_s, used_s = time.monotonic(), sum(map(_used_s, processes))
            for _ in range(_READINGS):
                await target.read()
            more_s = sum(map(_used_s, processes)) - used_s - idle * (time.monotonic() - began_s)
            found[target.service] = max(0.0, 1000 * more_s / _READINGS)
    return found


async def _kept_round_ms(mesh: Mesh, names: Sequence[str], at_once: int) -> float:
    """Return what it costs to keep one round at one oracle: what the mesh kept is noted and written once more."""
    async with channel(mesh.run_dir / "chainlink-node-2.sock") as connection:
        stub = oracle_grpc.OracleServiceStub(connection)
        kept = [
            record
            for name in names[:20]
            for record in (await stub.ListRounds(oracle_pb.ListRoundsRequest(name=name, most=20), timeout=60)).rounds
        ]
    if not kept:
        raise RuntimeError("the mesh has kept no round")
    return await asyncio.to_thread(_written_ms, kept, at_once)


def _written_ms(kept: Sequence[oracle_pb.RoundRecord], at_once: int) -> float:
    """Write rounds into a database of a server that does nothing else."""
    from services.dbinit.databases.provision import provision
    from tests.dbinit.server import Server, in_thread, open_directory, settings_in
    from tests.oracle.conftest import node_url

    server = Server(settings_in(open_directory(), total_nodes=2))
    try:
        server.start()
        in_thread(provision(server.settings))
        return in_thread(_write_ms(kept, at_once, node_url(server, 2), psutil.Process(server.pid)))
    finally:
        server.remove()


async def _write_ms(kept: Sequence[oracle_pb.RoundRecord], at_once: int, url: str, server: psutil.Process) -> float:
    ours = psutil.Process()
    async with Database.connect(url, max_connections=4, deadline_s=30) as database:
        await migrate(database)
        store, began_s = RoundStore(database, SystemClock()), _used_s(ours) + _used_s(server)
        for number in range(_WRITTEN):
            record = kept[number % len(kept)]
            key = RoundKey("0xc", bytes.fromhex(record.config_digest), number // 200, number % 200)
            for moment in record.moments:
                part = oracle_pb.RoundRecord(moments=[moment])
                store.note(key, record.name, moment.time.ToMilliseconds(), part.SerializeToString())
            if number % at_once == at_once - 1:
                await store.flush()
        return 1000 * (_used_s(ours) + _used_s(server) - began_s) / _WRITTEN


def _used_s(process: psutil.Process) -> float:
    """Return the processor time of a process and of its children, ended ones too."""
    total_s = 0.0
    for member in (process, *process.children(recursive=True)):
        try:
            times = member.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total_s += times.user + times.system
        if member is process:
            total_s += times.children_user + times.children_system
    return total_s


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        measure(feeds.parse(feeds.ALL)[: int(argument)]).show(Console(width=120))
    if not sys.argv[1:]:
        run().show(Console(width=120))
