"""
The oracle protocol: from the start of a round to the report with its signatures, and what the report costs on chain.

All oracles of a committee share one process and one core, so n = 31 shows the work of 31 nodes on one core. Each
committee is measured over real sockets, with TLS, and over links without: the difference is what the network costs.
Beside them stand four oracles of libocr, where Go can build them.
"""

import asyncio
import statistics
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import aiohttp

from chainlink.contract import aggregator as calls
from chainlink.ocr.report_context import context_tag
from chainlink.rpc.answers import quantity
from meshkit.clock import SystemClock
from services.oracle.ocr.crypto import sign_report
from services.oracle.ocr.report import AttributedObservation, encode_report, transmit_arguments
from services.oracle.ocr.running.interfaces import Network, Ports
from services.oracle.ocr.running.limits import LocalLimits, peer_limits
from services.oracle.ocr.running.runner import Runner
from services.oracle.ocr.state import Trace, TraceKind
from services.oracle.p2p.host import Host
from services.oracle.p2p.identity import PeerKey
from tests.bench.report import Report, Row
from tests.interop.latency import libocr_latency
from tests.oracle.anvil import Aggregator, Anvil
from tests.oracle.ocr.committee import MS, Committee, S, make_committee
from tests.oracle.ocr.fake_contract import FakeContract
from tests.oracle.ocr.fakes import LoopbackNetwork, World
from tests.oracle.p2p.mesh import BOOTSTRAP_KEY, running
from tests.waiting import until

SOCKETS = "sockets"
LINKS = "links without sockets"
RUNS = ((4, SOCKETS, 60), (4, LINKS, 60), (31, SOCKETS, 20), (31, LINKS, 20))
GRACE_MS = 20
_LIBOCR_N = 4
_LIBOCR_S = 20.0
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
    """Measure committees of 4 and 31, libocr's of 4, and the gas of their reports."""
    rows: list[Row] = []
    for n, way, rounds in RUNS:
        measured = asyncio.run(_measure(n, way, rounds))
        rows += [
            *_latency_rows(f"n = {n}, {way}", measured.latencies_ms),
            Row("  processor time of one oracle", measured.cpu_ms, "ms/round"),
        ]
    theirs = asyncio.run(libocr_latency(_LIBOCR_N, _LIBOCR_S, round_ms=_round_ms(_LIBOCR_N), grace_ms=GRACE_MS))
    if theirs:
        rows += _latency_rows(f"n = {_LIBOCR_N}, libocr, sockets", theirs)
    for n in (4, 31):
        rows.append(Row(f"gas of a transmit, n = {n}, f + 1 signatures, n observations", asyncio.run(gas(n)), "gas"))
    notes = (
        f"Latency is from ObserveReq to the report known to 2f+1 oracles, with a deltaGrace of {GRACE_MS} ms in it.",
        "Our oracles share one process and one core, and so each signature they have recovered; observations, contract "
        "and database cost nothing here.",
        "libocr's oracles are a process each, and read a real chain."
        if theirs
        else "libocr: not available, since its program could not be built; tests/interop/README.md says what it needs.",
    )
    return Report("Oracle protocol: rounds", tuple(rows), notes)


def _latency_rows(title: str, latencies_ms: Sequence[float]) -> list[Row]:
    ordered = sorted(latencies_ms)
    return [
        Row(f"{title}: rounds", len(ordered), "rounds"),
        Row("  p50", statistics.median(ordered), "ms"),
        Row("  p99", ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))], "ms"),
    ]


def _round_ms(n: int) -> int:
    return 100 + 4 * n * n


async def _measure(n: int, way: str, rounds: int) -> Measured:
    f = (n - 1) // 3
    committee = make_committee(
        n,
        f,
        delta_progress_ns=20 * S,
        delta_resend_ns=2 * S,
        delta_round_ns=_round_ms(n) * MS,
        delta_grace_ns=GRACE_MS * MS,
        r_max=100,
    )
    watch = _Watch()
    async with AsyncExitStack() as stack:
        networks = await (_sockets(stack, committee) if way == SOCKETS else _links(n))
        _start(stack, committee, networks, watch)
        await until(lambda: len(watch.latencies_ms(2 * f + 1)) >= 2, "warm rounds", _DEADLINE_S)
        warm = len(watch.latencies_ms(2 * f + 1))
        began_s = time.process_time()
        await until(lambda: len(watch.latencies_ms(2 * f + 1)) >= warm + rounds, "rounds", _DEADLINE_S)
        cpu_s = time.process_time() - began_s
        latencies = watch.latencies_ms(2 * f + 1)[warm:]
    return Measured(latencies, 1000 * cpu_s / len(latencies) / n)


async def gas(n: int) -> int:
    """Return the gas of a report of n observations with f+1 signatures on our contract, not its first."""
    f = (n - 1) // 3
    committee = make_committee(n, f)
    async with AsyncExitStack() as stack:
        anvil = Anvil(await stack.enter_async_context(aiohttp.ClientSession()), None)
        stack.push_async_callback(anvil.stop)
        await anvil.start()
        aggregator = await Aggregator.deploy(anvil)
        signers = [oracle.signing_address for oracle in committee.public.oracles]
        await aggregator.configure(signers, committee.transmitters, f, b"")
        digest = calls.decode_config_details(
            await anvil.rpc.eth_call(aggregator.address, calls.LATEST_CONFIG_DETAILS.selector)
        ).config_digest
        await anvil.fund(committee.transmitters[0])
        used = 0
        for round_number in (1, 2, 3):
            observations = [AttributedObservation(i, 65_000 * 10**8 + i + round_number) for i in range(n)]
            report = encode_report(context_tag(digest, 1, round_number), observations)
            signatures = [sign_report(keys.signing, report) for keys in committee.keys[: f + 1]]
            data = calls.transmit_calldata(report, *transmit_arguments(signatures))
            receipt = await anvil.send(committee.transmitters[0], aggregator.address, data)
            used = quantity(receipt["gasUsed"])
    return used


def _host(key: PeerKey) -> Host:
    # What discovery repeats must not disturb what is measured.
    return Host(key, listen=["127.0.0.1:0"], delta_dial_s=1, delta_reconcile_s=15)


async def _links(n: int) -> list[Network]:
    inboxes: list[asyncio.Queue[tuple[int, bytes]]] = [asyncio.Queue() for _ in range(n)]
    return [LoopbackNetwork(index, inboxes) for index in range(n)]


async def _sockets(stack: AsyncExitStack, committee: Committee) -> list[Network]:
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
    return [*endpoints]


def _start(stack: AsyncExitStack, committee: Committee, networks: Sequence[Network], watch: _Watch) -> None:
    contract = FakeContract(committee.public)
    tasks = []
    for index, network in enumerate(networks):
        world = World(index, contract)
        runner = Runner(
            committee.shared[index],
            committee.keys[index],
            network,
            Ports(world, world, world, world),
            clock=SystemClock(),
            limits=LocalLimits(),
            on_trace=watch.on_trace,
        )
        tasks.append(asyncio.create_task(runner.run()))

    async def stop() -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    stack.push_async_callback(stop)
