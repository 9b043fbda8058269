"""
The price aggregator: the real process before the simulated market, against servers that answer constants.

Server and references share one core and are never asked at the same time; the load and the market have the other one.
"""

import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from meshkit import feeds
from tests.bench.load import CAVEAT, Rate, has_wrk, press
from tests.bench.process import LOAD_CORE, SERVER_CORE, Server, answers, fetch, serving
from tests.bench.report import Report, Row
from tests.bench.setup import free_port, write_configuration

PAIRS = 100
CONNECTIONS = 64
ROUNDS = 3
SECONDS = 4
TTL_MS = 10_000
# What a node sends; `meta` changes with every round, so a cache of whole bodies would not help it.
BRIDGE = b'{"data":{"pair":"BTC/USD"},"meta":{"latestAnswer":65000,"updatedAt":1700000000}}'


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
    """Hold the runs of the service and of its references, of which each round asked all in turn."""

    ours: list[Run]
    references: dict[str, list[Run]]

    def rate(self) -> float:
        """Return the service's median of requests per core and second."""
        return _per_core(self.ours)

    def ratio(self, reference: str) -> float:
        """Return the median over the rounds of the service's rate divided by the reference's."""
        pairs = zip(self.ours, self.references[reference], strict=True)
        return statistics.median(run.per_core / other.per_core for run, other in pairs)

    def rows(self, name: str) -> list[Row]:
        """Return the rows without the ratios."""
        rates = [run.rate for run in self.ours]
        return [
            Row(name, self.rate(), "requests/s·core"),
            *(
                Row(f"  reference: {title}", _per_core(runs), "requests/s·core")
                for title, runs in self.references.items()
            ),
            Row("  by the clock", statistics.median(rate.requests / rate.seconds for rate in rates), "requests/s"),
            Row("  p50", statistics.median(rate.p50_ms for rate in rates), "ms"),
            Row("  p99", statistics.median(rate.p99_ms for rate in rates), "ms", at_most=10),
            *(
                Row(f"  p99 of reference: {title}", statistics.median(run.rate.p99_ms for run in runs), "ms")
                for title, runs in self.references.items()
            ),
            Row("  failed requests", sum(rate.errors for rate in rates), "requests", at_most=0),
        ]


def _per_core(runs: list[Run]) -> float:
    return statistics.median(run.per_core for run in runs)


def run() -> Report:
    """Measure the hot routes, memory and start."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fm")))
        port = free_port()
        market = stack.enter_context(
            serving("devkit.market", "--port", str(port), port=port, core=LOAD_CORE, path="/healthz")
        )
        sources = json.loads(fetch(market.url + "/healthz"))["sources"]
        known = sorted(feeds.load())

        def aggregator(names: list[str], path: str) -> tuple[Server, ExitStack]:
            place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fm")))
            environment, own_port = write_configuration(
                place, market_url=market.url, sources=sources, feeds=names, ttl_ms=TTL_MS
            )
            inner = ExitStack()
            stack.callback(inner.close)
            server = inner.enter_context(
                serving("services.aggregator", port=own_port, core=SERVER_CORE, environment=environment, path=path)
            )
            return server, inner

        starts = []
        for _ in range(ROUNDS):
            small, closing = aggregator(["BTC / USD", "ETH / USD", "EUR / USD"], "/health")
            starts.append(small.start_s)
            closing.close()
        server, _ = aggregator(known, "/health")
        pairs = _fresh_pairs(server.url)
        registered = sum(source["registeredPairs"] for source in _health(server.url)["sources"].values())
        idle_mb = server.rss_mb()
        rows = [
            *_quote_rows(server, directory),
            *_batch_rows(server, pairs, directory),
            *_bridge_rows(server, directory),
        ]
        rows += [
            Row("start to first fresh price, 3 feeds", statistics.median(starts), "s", at_most=1.0),
            Row(f"start to first fresh price, {registered} source pairs", server.start_s, "s", at_most=1.0),
            Row(f"RSS with {registered} source pairs, before the load", idle_mb, "MB"),
            Row(f"RSS with {registered} source pairs, after the load", server.rss_mb(), "MB", at_most=90),
        ]
    notes = [
        f"{len(sources)} sources, {registered} source pairs, ttl {TTL_MS} ms, {CONNECTIONS} connections, median of "
        f"{ROUNDS} rounds of {SECONDS} s in which service and references take turns",
        "a rate per s·core counts the server's processor time, so it and the ratios hold on a busy machine too; "
        "latencies hold on a quiet one only, where they compare with the references'",
        "raw: an asyncio protocol on uvloop that splits requests at the empty line and parses nothing; httptools is "
        "not among the pinned packages, and a server that parses with it is slower than this one",
    ]
    return Report("price aggregator", tuple(rows), tuple(notes if has_wrk() else [*notes, CAVEAT]))


def _quote_rows(server: Server, directory: Path) -> list[Row]:
    source = next(name for name, state in _health(server.url)["sources"].items() if _has_btc(server.url, name))
    target = _btc_path(source)
    compared = _compare(server, target, directory)
    return [
        *compared.rows("GET /quote/{source}/{base}/{quote}, cached"),
        Row("  of the bare aiohttp application", compared.ratio("aiohttp"), "ratio", at_least=0.7),
        Row("  of the raw protocol", compared.ratio("raw"), "ratio"),
    ]


def _batch_rows(server: Server, pairs: list[str], directory: Path) -> list[Row]:
    target = f"/quotes/batch?pairs={','.join(pairs)}"
    compared = _compare(server, target, directory)
    size = len(fetch(server.url + target))
    rate, ratio = compared.rate() * len(pairs), compared.ratio("aiohttp")
    # One of the two targets is enough.
    enough = 0.5 if rate < 1_000_000 else None
    return [
        *compared.rows(f"GET /quotes/batch, {len(pairs)} pairs, {size} bytes"),
        Row("  quotes", rate, "quotes/s·core", at_least=1_000_000 if ratio < 0.5 else None),
        Row("  of an aiohttp application that sends the same bytes", ratio, "ratio", at_least=enough),
        Row("  of the raw protocol with the same bytes", compared.ratio("raw"), "ratio"),
    ]


def _bridge_rows(server: Server, directory: Path) -> list[Row]:
    compared = _compare(server, "/quotes/batch", directory, BRIDGE)
    return [
        *compared.rows("POST /quotes/batch, a bridge's request for one pair"),
        Row("  of the raw protocol", compared.ratio("raw"), "ratio"),
    ]


def _compare(server: Server, target: str, directory: Path, asked: bytes = b"") -> Compared:
    """Ask the service and the references, which answer the same bytes, in turn."""
    file = directory / "body"
    file.write_bytes(fetch(server.url + target, asked or None))
    path = urlsplit(target).path
    # The bare application has a GET route only; a POST is compared with the raw protocol.
    kinds = ["raw"] if asked else ["aiohttp", "raw"]
    with ExitStack() as stack:
        others = {kind: stack.enter_context(_reference(kind, file, path)) for kind in kinds}
        compared = Compared([], {kind: [] for kind in kinds})
        for _ in range(ROUNDS):
            compared.ours.append(_press(server, target, asked))
            for kind, other in others.items():
                compared.references[kind].append(_press(other, target, asked))
    return compared


def _press(server: Server, target: str, asked: bytes) -> Run:
    before_s = server.cpu_s()
    rate = press(server.url + target, connections=CONNECTIONS, seconds=SECONDS, body=asked)
    return Run(rate, server.cpu_s() - before_s)


@contextmanager
def _reference(kind: str, file: Path, path: str) -> Iterator[Server]:
    port = free_port()
    arguments = ("tests.bench.references", kind, str(port), str(file), "--path", path)
    with serving(*arguments, port=port, core=SERVER_CORE, path=path) as server:
        yield server


def _fresh_pairs(url: str) -> list[str]:
    """Return the first pairs that have quotes, once there are enough of them."""
    # A pair with a space or a sign would have to be escaped, as no ordinary caller does.
    asked = [f"{feed.base}/{feed.quote}" for feed in feeds.load().values() if (feed.base + feed.quote).isalnum()]
    deadline = time.monotonic() + 60
    while True:
        entries = json.loads(fetch(f"{url}/quotes/batch?pairs={','.join(asked)}"))["quotes"]
        fresh = [entry["pair"] for entry in entries if entry.get("status") == "fresh"]
        if len(fresh) >= PAIRS:
            return fresh[:PAIRS]
        if time.monotonic() > deadline:
            raise RuntimeError(f"only {len(fresh)} pairs have quotes of all of their sources, {PAIRS} are needed")
        time.sleep(0.2)


def _health(url: str) -> dict[str, dict[str, dict[str, int]]]:
    found: dict[str, dict[str, dict[str, int]]] = json.loads(fetch(url + "/health"))
    return found


def _btc_path(source: str) -> str:
    base, quote = feeds.load()["BTC / USD"].sources.get(source, ("BTC", "USD"))
    return f"/quote/{source}/{base}/{quote}"


def _has_btc(url: str, source: str) -> bool:
    return answers(url + _btc_path(source))
