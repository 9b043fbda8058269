"""
The oracle protocol: from the start of a round to the report with its signatures, over real sockets.

All oracles of a committee share one process and one core, so n = 16 shows the work of 16 nodes on one core.
"""

import asyncio
import statistics
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from meshkit.clock import SystemClock
from services.oracle.ocr.limits import LocalLimits, peer_limits
from services.oracle.ocr.runner import Runner
from services.oracle.ocr.state import Trace, TraceKind
from services.oracle.p2p.host import Host
from services.oracle.p2p.identity import PeerKey
from tests.bench.report import Report, Row
from tests.oracle.ocr.committee import MS, Committee, S, make_committee
from tests.oracle.ocr.fake_contract import FakeContract
from tests.oracle.ocr.fakes import World
from tests.oracle.p2p.mesh import BOOTSTRAP_KEY, running
from tests.waiting import until

SIZES = {4: 60, 16: 12}
GRACE_MS = 20
_DEADLINE_S = 300


@dataclass(frozen=True, slots=True)
class Measured:
    """Hold the latencies of a committee's rounds, and what one oracle's part of a round cost."""

    latencies_ms: Sequence[float]
    cpu_ms: float


class _Watch:
    """Measure each round from its first start to each oracle's completion of it, by the monotonic clock."""

    def __init__(self) -> None:
        self._started_s: dict[tuple[int, int], float] = {}
        self._finals_s: dict[tuple[int, int], list[float]] = defaultdict(list)

    def on_trace(self, trace: Trace) -> None:
        key, now_s = (trace.epoch, trace.round), time.monotonic()
        if trace.kind is TraceKind.ROUND_STARTED:
            self._started_s.setdefault(key, now_s)
        elif trace.kind is TraceKind.FINAL:
            self._finals_s[key].append(now_s)

    def latencies_ms(self, quorum: int) -> list[float]:
        """Return the latency of each round that a quorum completed, at the oracle that makes the quorum full."""
        complete = {key: sorted(ends)[quorum - 1] for key, ends in self._finals_s.items() if len(ends) >= quorum}
        return [1000 * (end_s - self._started_s[key]) for key, end_s in complete.items()]


def run() -> Report:
    """Measure committees of 4 and 16."""
    rows: list[Row] = []
    for n, rounds in SIZES.items():
        measured = asyncio.run(_measure(n, rounds))
        ordered = sorted(measured.latencies_ms)
        rows += [
            Row(f"n = {n}: rounds", len(ordered), "rounds"),
            Row("  p50", statistics.median(ordered), "ms"),
            Row("  p99", ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))], "ms"),
            Row("  processor time of one oracle", measured.cpu_ms, "ms/round"),
        ]
    notes = (
        f"Latency is from ObserveReq to the report known to 2f+1 oracles, with a deltaGrace of {GRACE_MS} ms in it.",
        "All oracles share one core; observations, contract and database cost nothing here.",
    )
    return Report("Oracle protocol: rounds over real sockets", tuple(rows), notes)


async def _measure(n: int, rounds: int) -> Measured:
    f = (n - 1) // 3
    round_ms = 100 + 4 * n * n
    committee = make_committee(
        n,
        f,
        delta_progress_ns=20 * S,
        delta_resend_ns=2 * S,
        delta_round_ns=round_ms * MS,
        delta_grace_ns=GRACE_MS * MS,
        r_max=100,
    )
    watch = _Watch()
    async with AsyncExitStack() as stack:
        await _start(stack, committee, watch)
        await until(lambda: len(watch.latencies_ms(2 * f + 1)) >= 2, "warm rounds", _DEADLINE_S)
        warm = len(watch.latencies_ms(2 * f + 1))
        began_s = time.process_time()
        await until(lambda: len(watch.latencies_ms(2 * f + 1)) >= warm + rounds, "rounds", _DEADLINE_S)
        cpu_s = time.process_time() - began_s
        latencies = watch.latencies_ms(2 * f + 1)[warm:]
    return Measured(latencies, 1000 * cpu_s / len(latencies) / n)


def _host(key: PeerKey) -> Host:
    # What discovery repeats must not disturb what is measured.
    return Host(key, listen=["127.0.0.1:0"], delta_dial_s=1, delta_reconcile_s=15)


async def _start(stack: AsyncExitStack, committee: Committee, watch: _Watch) -> None:
    contract = FakeContract(committee.public)
    bootstrap, *hosts = [_host(key) for key in (BOOTSTRAP_KEY, *committee.peers)]
    await stack.enter_async_context(running(bootstrap, *hosts))
    limits = peer_limits(committee.public.offchain)
    digest, peer_ids = committee.public.config_digest, [peer.peer_id for peer in committee.peers]
    located = {bootstrap.peer_id: bootstrap.addresses}
    bootstrap.register_group(digest, peer_ids, located, limits)
    endpoints = []
    for host in hosts:
        endpoint = host.register_group(digest, peer_ids, located, limits)
        assert endpoint is not None
        endpoints.append(endpoint)
    everybody = len(hosts) - 1
    await until(lambda: all(len(endpoint.connected) == everybody for endpoint in endpoints), "a full mesh", _DEADLINE_S)
    tasks = []
    for index, endpoint in enumerate(endpoints):
        world = World(index, contract)
        runner = Runner(
            committee.shared[index],
            committee.keys[index],
            clock=SystemClock(),
            data_source=world,
            reader=world,
            transmitter=world,
            network=endpoint,
            store=world,
            limits=LocalLimits(),
            on_trace=watch.on_trace,
        )
        tasks.append(asyncio.create_task(runner.run()))

    async def stop() -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    stack.push_async_callback(stop)
