"""
How a committee's work grows with its oracles and with its feeds: messages, processor time, database rows, memory.

All oracles of all feeds share one process, and time is simulated: what a round waits for costs nothing, so that also
260 feeds of 31 oracles fit. A round of n oracles has n observations, and n² echoes of its final report; more than that
is a step back. Between oracles lie links in memory, so sockets and TLS have no part in it (BENCH=oracle has them).

    python -m tests.bench.growth [FEEDS ORACLES]  one committee's numbers
"""

import asyncio
import math
import multiprocessing
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psutil

from chainlink.ocr.config_rules import MAX_ORACLES
from feedmesh.ocr.v1 import messages_pb2 as pb
from services.oracle.ocr.running.interfaces import Ports
from services.oracle.ocr.running.limits import LocalLimits
from services.oracle.ocr.running.runner import Runner
from services.oracle.ocr.state import PacemakerState, PendingTransmission, SignedRound, Trace, TraceKind
from tests import simulated_time
from tests.bench.report import Report, Row
from tests.oracle.ocr.committee import MS, Committee, S, make_committee
from tests.oracle.ocr.fake_contract import FakeContract
from tests.oracle.ocr.fakes import LoopbackNetwork, World

FEEDS, ORACLES = (1, 10, 100, 260), (4, 7, 16, 31)
# So many rounds are measured, fewer where one of them is much work.
_ROUNDS, _MOST_WORK = 4, 100_000
_ROUND_S = 10.0
_START_MS = 1_800_000_000_000
# What the fits may say: rounds are few, and a first round is dearer than those that follow.
_TOLERANCE = 0.15
assert max(ORACLES) == MAX_ORACLES


class LoopClock:
    """The clock of the running loop, whose time is simulated."""

    def time_ms(self) -> int:
        """Return Unix milliseconds."""
        return _START_MS + round(asyncio.get_running_loop().time() * 1000)

    def monotonic(self) -> float:
        """Return the loop's seconds."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Wait on the loop's time."""
        await asyncio.sleep(seconds)


@dataclass(slots=True)
class Counts:
    """Count what all oracles of all feeds did so far: messages by kind, rows, and ends of rounds at an oracle."""

    messages: Counter[int]
    rows: int = 0
    finals: int = 0


@dataclass(frozen=True, slots=True)
class Cell:
    """Hold what a round of one feed costs all of its oracles together, on average, and memory for each oracle."""

    feeds: int
    n: int
    observations: float
    echoes: float
    messages: float
    rows: float
    cpu_ms: float
    memory_kb: float


class _CountedNetwork(LoopbackNetwork):
    """Links in memory that count what is sent by the kind of message."""

    def __init__(self, index: int, inboxes: list[asyncio.Queue[tuple[int, bytes]]], counts: Counts) -> None:
        super().__init__(index, inboxes)
        self._counts = counts

    def send(self, to: int, payload: bytes) -> None:
        """Count a message and deliver it."""
        # A message is one field, so its first byte has the number of its kind.
        self._counts.messages[payload[0] >> 3] += 1
        super().send(to, payload)


class _CountedWorld(World):
    """An oracle's outside world that counts the rows which its database would write."""

    def __init__(self, index: int, contract: FakeContract, counts: Counts) -> None:
        super().__init__(index, contract)
        self._counts = counts

    async def save_pacemaker(self, config_digest: bytes, state: PacemakerState) -> None:
        """Count a row."""
        self._counts.rows += 1
        await super().save_pacemaker(config_digest, state)

    async def save_signed_round(self, config_digest: bytes, signed: SignedRound) -> None:
        """Count a row."""
        self._counts.rows += 1
        await super().save_signed_round(config_digest, signed)

    async def save_pending(self, config_digest: bytes, pending: PendingTransmission) -> None:
        """Count a row."""
        self._counts.rows += 1
        await super().save_pending(config_digest, pending)

    async def transmit(self, report: bytes, rs: Sequence[bytes], ss: Sequence[bytes], raw_vs: bytes) -> None:
        """Call the contract, whose time is that of the oracles."""
        self.contract.transmit(self.index, report, rs, ss, raw_vs, LoopClock().time_ms())

    async def delete_pending(self, config_digest: bytes, epoch: int, round_number: int) -> None:
        """Count a row, which is gone."""
        self._counts.rows += 1
        await super().delete_pending(config_digest, epoch, round_number)


def run() -> Report:
    """Measure every number of feeds with every number of oracles, each in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        cells = [pool.apply(measure, (feeds, n)) for n in ORACLES for feeds in FEEDS]
    notes = (
        "nobody sends to itself, so a round has n - 1 observations and n·(n - 1) echoes on the way",
        "a round is one feed's; messages, rows and processor time are those of all its oracles together",
        "rows are what the protocol has its database keep: the round signed, and the transmission planned and done",
        "exponents are the slopes of the least squares through logarithms: of n with most feeds, of feeds with most n",
        "processor time has the contract's own checks in it, and each signature is recovered once in a process",
    )
    return Report(
        "growth of a committee's work", (*exponent_rows(cells), *(row for c in cells for row in _rows(c))), notes
    )


def measure(feeds: int, n: int) -> Cell:
    """Run so many feeds of n oracles for some rounds, in simulated time."""
    return simulated_time.run(_measure(feeds, n))


async def _measure(feeds: int, n: int) -> Cell:
    committee = make_committee(
        n,
        (n - 1) // 3,
        delta_progress_ns=60 * S,
        delta_resend_ns=30 * S,
        delta_round_ns=round(_ROUND_S * S),
        delta_grace_ns=100 * MS,
        r_max=100,
    )
    counts, before_bytes = Counts(Counter()), _rss_bytes()
    tasks = [task for _ in range(feeds) for task in _started(committee, counts)]
    # The first round comes soon after the start; half a round later nothing is under way.
    await asyncio.sleep(0.5 * _ROUND_S)
    memory_kb = (_rss_bytes() - before_bytes) / feeds / n / 1000
    rounds = max(1, min(_ROUNDS, _MOST_WORK // (feeds * n * n)))
    before, before_rows, before_finals = counts.messages.copy(), counts.rows, counts.finals
    began_s = time.process_time()
    await asyncio.sleep(rounds * _ROUND_S)
    cpu_s = time.process_time() - began_s
    held = (counts.finals - before_finals) / n
    seen = counts.messages - before
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    if held < feeds * rounds:
        raise RuntimeError(f"{feeds} feeds of {n} oracles held {held:g} of {feeds * rounds} rounds")
    kinds = {field.name: field.number for field in pb.Envelope.DESCRIPTOR.fields}
    return Cell(
        feeds,
        n,
        observations=seen[kinds["observe"]] / held,
        echoes=seen[kinds["final_echo"]] / held,
        messages=seen.total() / held,
        rows=(counts.rows - before_rows) / held,
        cpu_ms=1000 * cpu_s / held,
        memory_kb=memory_kb,
    )


def _started(committee: Committee, counts: Counts) -> list[asyncio.Task[None]]:
    """Start the oracles of one feed."""
    contract = FakeContract(committee.public)
    inboxes: list[asyncio.Queue[tuple[int, bytes]]] = [asyncio.Queue() for _ in committee.keys]

    def note(trace: Trace) -> None:
        counts.finals += trace.kind is TraceKind.FINAL

    tasks = []
    for index, keys in enumerate(committee.keys):
        world = _CountedWorld(index, contract, counts)
        runner = Runner(
            committee.shared[index],
            keys,
            _CountedNetwork(index, inboxes, counts),
            Ports(world, world, world, world),
            clock=LoopClock(),
            limits=LocalLimits(),
            on_trace=note,
        )
        tasks.append(asyncio.create_task(runner.run()))
    return tasks


def exponent(points: Sequence[tuple[float, float]]) -> float:
    """Return b of the y = a·x**b that is nearest to these points, by the least squares of the logarithms."""
    logs = [(math.log(x), math.log(y)) for x, y in points]
    slope, _ = statistics.linear_regression([x for x, _ in logs], [y for _, y in logs])
    return slope


def exponent_rows(cells: Sequence[Cell]) -> list[Row]:
    """Return how each number grows with n and with feeds, and how it may."""
    feeds, n = max(cell.feeds for cell in cells), max(cell.n for cell in cells)
    by_n, by_feeds = [cell for cell in cells if cell.feeds == feeds], [cell for cell in cells if cell.n == n]
    numbers: tuple[tuple[str, Callable[[Cell], float], int], ...] = (
        ("observations a round", lambda cell: cell.observations, 1),
        ("echoes a round", lambda cell: cell.echoes, 2),
        ("messages a round", lambda cell: cell.messages, 2),
        ("database rows a round", lambda cell: cell.rows, 1),
        ("processor time a round", lambda cell: cell.cpu_ms, 2),
    )
    rows = []
    for name, value, most in numbers:
        points = [(cell.n, value(cell)) for cell in by_n]
        rows.append(Row(f"{name}: exponent of n", exponent(points), "", at_most=most + _TOLERANCE))
    for name, value, _ in numbers[2:]:
        points = [(cell.feeds, value(cell) * cell.feeds) for cell in by_feeds]
        rows.append(Row(f"{name} of all feeds: exponent of feeds", exponent(points), "", at_most=1 + _TOLERANCE))
    # Little memory is lost in what the allocator has in stock, so the fit begins where there is much.
    held = [(cell.feeds * cell.n, cell.memory_kb * cell.feeds * cell.n) for cell in cells if cell.feeds * cell.n >= 400]
    if len(held) > 1:
        rows.append(Row("memory: exponent of feeds × n", exponent(held), "", at_most=1 + 2 * _TOLERANCE))
    return rows


def _rows(cell: Cell) -> list[Row]:
    return [
        Row(f"{cell.feeds} feeds × {cell.n} oracles: messages", cell.messages, "a round"),
        Row("  observations", cell.observations, "a round"),
        Row("  echoes", cell.echoes, "a round"),
        Row("  database rows", cell.rows, "a round"),
        Row("  processor time", cell.cpu_ms, "ms/round", more_is_better=False),
        Row("  memory of an oracle's part in a feed", cell.memory_kb, "kB", more_is_better=False),
    ]


def _rss_bytes() -> int:
    return int(psutil.Process().memory_info().rss)


if __name__ == "__main__":
    print(measure(int(sys.argv[1]), int(sys.argv[2])))
