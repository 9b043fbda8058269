"""
The price aggregator: the real process before the simulated market, against servers that answer constants.

Server and references share one core and are never asked at the same time; the load and the market have the other one.
"""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Final

from tests.bench.bed import ALL, SMALL, TTL_MS, Bed, bed, btc_path, fill_up, fresh_pairs, registered
from tests.bench.comparing import CONNECTIONS, P99_MS, ROUNDS, SECONDS, compare, press_once
from tests.bench.flood import ages
from tests.bench.load import CAVEAT, CHANGING, has_wrk
from tests.bench.process import Server
from tests.bench.references import has_httptools
from tests.bench.report import Report, Row

PAIRS: Final = 100
# What a node sends; the job's run and `meta` are others in every round, so a cache of whole bodies would not help it.
BRIDGE: Final = b'{"id":"%b","data":{"pair":"BTC/USD"},"meta":{"latestAnswer":%b,"updatedAt":1700000000}}' % (
    CHANGING,
    CHANGING,
)
STEADY_S: Final = 120.0
_SAMPLE_S: Final = 2.0
_WARM_S: Final = 30.0
# A source of which many pairs come in one call, and by stream.
_BATCH_SOURCE: Final = "binance"


def run() -> Report:
    """Measure the hot routes, start, memory, upstream load, and the age of prices in a flood of stream messages."""
    with bed() as market, tempfile.TemporaryDirectory(prefix="fm") as place:
        rows = [
            *_start_rows(market),
            *_speed_rows(market, Path(place)),
            *ages.rows(market),
            *_steady_rows(market),
        ]
        sources = len(market.sources)
    notes = [
        f"{sources} sources, ttl {TTL_MS} ms; load: {'wrk' if has_wrk() else 'our generator'}, {CONNECTIONS} "
        f"connections, median of {ROUNDS} rounds of {SECONDS} s in which service and references take turns",
        "a rate per s·core counts the server's processor time, so it and the ratios hold on a busy machine too; "
        "latencies and times hold on a quiet one only, where they compare with the references'",
        "references answer the same bytes always: aiohttp on uvloop with one route; httptools, which parses requests "
        "and nothing more; raw, which splits requests at the empty line and parses nothing",
    ]
    if not has_httptools():
        notes.append("httptools is not among the pinned packages; `pip install httptools` adds its rows")
    return Report("price aggregator", tuple(rows), tuple(notes if has_wrk() else [*notes, CAVEAT]))


def _start_rows(market: Bed) -> list[Row]:
    small_s, all_s, count = [], [], 0
    for _ in range(ROUNDS):
        with market.aggregator(SMALL) as server:
            small_s.append(server.start_s)
        with market.aggregator(ALL) as server:
            all_s.append(server.start_s)
            count = registered(server)
    return [
        Row(f"start to first fresh price, {len(SMALL)} feeds", statistics.median(small_s), "s", at_most=1.0),
        Row(f"start to first fresh price, {count} source pairs", statistics.median(all_s), "s", at_most=1.0),
    ]


def _speed_rows(market: Bed, directory: Path) -> list[Row]:
    bare = ["httptools", "raw"] if has_httptools() else ["raw"]
    with market.aggregator(ALL) as server:
        pairs = fresh_pairs(server, PAIRS)
        quote = compare(server, btc_path(server), ["aiohttp", *bare], directory)
        target = f"/quotes/batch?pairs={','.join(pairs)}"
        batch = compare(server, target, ["aiohttp", *bare], directory)
        # The bare application has a GET route only, so a POST is compared with the protocols.
        bridge = compare(server, "/quotes/batch", bare, directory, BRIDGE)
    rate, ratio = batch.rate() * len(pairs), batch.ratio("aiohttp")
    return [
        *quote.rows("GET /quote/{source}/{base}/{quote}, cached"),
        Row("  of the bare aiohttp application", quote.ratio("aiohttp"), "ratio", at_least=0.7),
        *(Row(f"  of the bare {kind} server", quote.ratio(kind), "ratio") for kind in bare),
        *batch.rows(f"GET /quotes/batch, {len(pairs)} pairs"),
        # One of the two targets is enough.
        Row("  quotes", rate, "quotes/s·core", at_least=1_000_000 if ratio < 0.5 else None),
        Row(
            "  of an aiohttp application that sends the same bytes",
            ratio,
            "ratio",
            at_least=0.5 if rate < 1_000_000 else None,
        ),
        *(Row(f"  of a bare {kind} server that sends the same bytes", batch.ratio(kind), "ratio") for kind in bare),
        *bridge.rows("POST /quotes/batch, a bridge's request for one pair", at_least=25_000),
        Row("  of the bare raw server", bridge.ratio("raw"), "ratio", at_least=0.25),
        *(Row(f"  of the bare {kind} server", bridge.ratio(kind), "ratio") for kind in bare if kind != "raw"),
    ]


def _steady_rows(market: Bed) -> list[Row]:
    with market.aggregator(ALL) as server:
        fresh_pairs(server, PAIRS)
        polled = _calls_a_minute(market, server, _WARM_S)
    with market.aggregator(ALL, streams=True) as server:
        fresh_pairs(server, PAIRS)
        count = fill_up(server)
        time.sleep(_WARM_S)
        before_s, before_mb = server.cpu_s(), server.rss_mb()
        streamed = _calls_a_minute(market, server, STEADY_S)
        busy = (server.cpu_s() - before_s) / STEADY_S
        rss_mb, uss_mb = server.rss_mb(), server.uss_mb()
        quote = press_once(server, btc_path(server))
        batch = press_once(server, f"/quotes/batch?pairs={','.join(fresh_pairs(server, PAIRS))}")
        loaded_mb = server.rss_mb()
    title = f"{count} source pairs, {len(market.streaming)} streams"
    return [
        Row(f"calls of {_BATCH_SOURCE}, without streams", polled, "calls/min"),
        Row(f"calls of {_BATCH_SOURCE}, with streams", streamed, "calls/min", at_most=0),
        Row(f"{title}: processor time when nobody asks", busy, "s/s", at_most=0.08),
        Row(f"  RSS after {STEADY_S / 60:.0f} minutes", rss_mb, "MB", at_most=80),
        Row("  RSS then and before these minutes, difference", rss_mb - before_mb, "MB", at_most=5),
        Row("  USS (what it shares with no other process)", uss_mb, "MB"),
        Row("  RSS after the load", loaded_mb, "MB", at_most=90),
        Row("  p99 of GET /quote/…", quote.rate.p99_ms, "ms", at_most=P99_MS),
        Row(f"  p99 of GET /quotes/batch, {PAIRS} pairs", batch.rate.p99_ms, "ms", at_most=P99_MS),
    ]


def _calls_a_minute(market: Bed, server: Server, seconds: float) -> float:
    before = market.calls(_BATCH_SOURCE)
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        # Somebody asks now and then, as nodes do; nothing but the streams and the refreshes is to be seen upstream.
        fresh_pairs(server, 1)
        time.sleep(_SAMPLE_S)
    return (market.calls(_BATCH_SOURCE) - before) * 60 / seconds
