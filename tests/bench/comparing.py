"""A server against references that answer the same bytes always, asked in turn in the same run."""

import statistics
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tests.bench.bed import reference
from tests.bench.load import CHANGING, Rate, press
from tests.bench.process import Server, fetch
from tests.bench.report import Row

CONNECTIONS: Final = 64
ROUNDS: Final = 3
SECONDS: Final = 4
P99_MS: Final = 10.0
# What the latencies are measured at: with as many requests as a server can take they are only its rate, told again.
PACE: Final = 5_000
P99_OF_RAW: Final = 1.5


@dataclass(frozen=True, slots=True)
class Run:
    """Hold one run of load and the processor time that the server spent on it."""

    rate: Rate
    cpu_s: float

    @property
    def per_core(self) -> float:
        """Return the requests per second of processor time: what the server would do with a core of its own."""
        return self.rate.requests / self.cpu_s


@dataclass(frozen=True, slots=True)
class Compared:
    """
    Hold the runs of the service and of its references, of which each round asked all in turn.

    Attributes:
        ours: The service asked for as much as it takes.
        references: The references, likewise.
        paced: The service, then the raw server, asked for the same number of requests a second.
    """

    ours: list[Run]
    references: dict[str, list[Run]]
    paced: list[tuple[Run, Run]]

    def rate(self) -> float:
        """Return the service's median of requests per core and second."""
        return _per_core(self.ours)

    def ratio(self, title: str) -> float:
        """Return the median over the rounds of the service's rate divided by the reference's."""
        pairs = zip(self.ours, self.references[title], strict=True)
        return statistics.median(run.per_core / other.per_core for run, other in pairs)

    def p99_ratio(self) -> float:
        """Return the service's p99 at the same load divided by the raw server's, both the medians of the rounds."""
        ours = statistics.median(run.rate.p99_ms for run, _ in self.paced)
        return ours / statistics.median(run.rate.p99_ms for _, run in self.paced)

    def rows(self, name: str, at_least: float | None = None) -> list[Row]:
        """Return the rows without the ratios that have a target."""
        rates = [run.rate for run in self.ours]
        return [
            Row(name, self.rate(), "requests/s·core", at_least=at_least, more_is_better=True),
            *(
                Row(f"  reference: {title}", _per_core(runs), "requests/s·core")
                for title, runs in self.references.items()
            ),
            Row("  by the clock", statistics.median(rate.requests / rate.seconds for rate in rates), "requests/s"),
            Row("  p50", statistics.median(rate.p50_ms for rate in rates), "ms"),
            Row("  p99 at its limit", statistics.median(rate.p99_ms for rate in rates), "ms", at_most=P99_MS),
            *(
                Row(
                    f"  p99 of reference: {title}, at its limit",
                    statistics.median(run.rate.p99_ms for run in runs),
                    "ms",
                )
                for title, runs in self.references.items()
            ),
            Row(
                f"  p99 at {PACE:,} requests/s",
                statistics.median(ours.rate.p99_ms for ours, _ in self.paced),
                "ms",
                more_is_better=False,
            ),
            Row(f"  p99 at {PACE:,} requests/s, of the raw server's", self.p99_ratio(), "ratio", at_most=P99_OF_RAW),
            Row("  failed requests", sum(rate.errors for rate in rates), "requests", at_most=0),
        ]


def _per_core(runs: list[Run]) -> float:
    return statistics.median(run.per_core for run in runs)


def compare(server: Server, target: str, kinds: list[str], directory: Path, asked: bytes = b"") -> Compared:
    """Ask the service and the references, which answer the same bytes, in turn; with a body the method is POST."""
    file = directory / "body"
    file.write_bytes(fetch(server.url + target, asked.replace(CHANGING, b"1") or None))
    path = urlsplit(target).path
    with ExitStack() as stack:
        others = {kind: stack.enter_context(reference(kind, file, path)) for kind in kinds}
        compared = Compared([], {kind: [] for kind in kinds}, [])
        for _ in range(ROUNDS):
            compared.ours.append(press_once(server, target, asked))
            for kind, other in others.items():
                compared.references[kind].append(press_once(other, target, asked))
            compared.paced.append(
                (press_once(server, target, asked, PACE), press_once(others["raw"], target, asked, PACE))
            )
    return compared


def press_once(server: Server, target: str, asked: bytes = b"", pace: float | None = None) -> Run:
    """Ask for a few seconds."""
    before_s = server.cpu_s()
    rate = press(server.url + target, connections=CONNECTIONS, seconds=SECONDS, body=asked, rate=pace)
    return Run(rate, server.cpu_s() - before_s)
