"""
How long a price takes from the exchange into a block, hop by hop: a whole mesh before a market that ticks fast.

Each price that a contract took is found again among the quotes by its value: the market changes every price with every
tick, so hardly two quotes have the same. Its stamp is the exchange's own time of the oldest price in the quote; the
exchanges are those that send every tick. All clocks are this machine's. A block counts from when a client sees it, as
its own time has whole seconds only. Rounds and blocks have the same period, so a run would measure one lag between
them, which is chance; the chain's interval is begun anew in steps, so that all lags have their share.
"""

import asyncio
import contextlib
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from decimal import Decimal
from pathlib import Path
from typing import Final

import aiohttp
import grpc.aio
import orjson
from google.protobuf.timestamp_pb2 import Timestamp

from cli.embedded import profile
from feedmesh.aggregator.v1 import quote_service_pb2 as quote_pb
from feedmesh.aggregator.v1 import quote_service_pb2_grpc as quote_grpc
from feedmesh.operator.v1 import operator_service_pb2 as operator_pb
from feedmesh.operator.v1 import operator_service_pb2_grpc as operator_grpc
from feedmesh.oracle.v1 import oracle_service_pb2 as oracle_pb
from feedmesh.oracle.v1 import oracle_service_pb2_grpc as oracle_grpc
from meshkit.rpc.client import channel
from services.aggregator.streams.turn import TURN_S
from tests.bench.process import LOAD_CORE, Server, fetch, serving
from tests.bench.report import Report, Row
from tests.mesh.running import Mesh, free_port_offset, own_directory, stopping
from tests.ports import free_port
from tests.waiting import until

FEED: Final = "BTC / USD"
TICK_MS: Final = 100
BLOCK_MS: Final = 1_000
GRACE_MS: Final = 100
OCR: Final = {
    "deltaProgressMs": 10_000,
    "deltaResendMs": 5_000,
    "deltaRoundMs": 1_000,
    "deltaGraceMs": GRACE_MS,
    "deltaCMs": 10_000,
    "deltaStageMs": 3_000,
    "alphaPpb": 1,
    "rMax": 100,
}
# An observation may take no longer.
REQUEST_MS: Final = 1_000
MEASURED_S: Final = 120.0
_START_S: Final = 120.0
_NODES: Final = 5
# Those of the feed's that send a price as often as the market ticks; Binance sends one a second, Kraken four.
_SOURCES: Final = ("coinbase", "okx")
_LAGS: Final = 10
_LOOK_S: Final = 0.02
_UNITS: Final = 10**8
# The longest wait of each hop that is meant to be: by configuration, or as the aggregator gathers what streams say.
WAITS_MS: Final = {
    "the exchange's stamp → quote": TICK_MS + round(TURN_S * 1000),
    "quote → first observation of it": TICK_MS,
    "observation → report with its signatures": GRACE_MS,
    "report → transaction": 0,
    "transaction → block": BLOCK_MS,
}


@dataclass(slots=True)
class Seen:
    """
    Hold what was heard, moments in Unix milliseconds.

    Attributes:
        quotes: By value, the stamp and when the quote was made, of each quote with it.
        stages: By epoch, round and stage, the earliest moment at any oracle.
        observed: By epoch, round and value, when the first oracle observed it.
        blocks: By number, when the block was seen.
        answers: The value and the block by epoch and round.
    """

    quotes: dict[int, list[tuple[float, float]]] = field(default_factory=dict)
    stages: dict[tuple[int, int, int], float] = field(default_factory=dict)
    observed: dict[tuple[int, int, int], float] = field(default_factory=dict)
    blocks: dict[int, float] = field(default_factory=dict)
    answers: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)

    def counts(self) -> dict[str, int]:
        """Return how many there are of each."""
        return {each.name: len(getattr(self, each.name)) for each in fields(self)}

    def hops(self) -> list[tuple[float, ...]]:
        """Return the moments of each answer of which all are known: stamp, quote, observation, report, sent, block."""
        found = []
        for (epoch, number), (value, block) in self.answers.items():
            observed_ms = self.observed.get((epoch, number, value))
            moments = (
                *self._quote(value, observed_ms),
                observed_ms,
                self.stages.get((epoch, number, oracle_pb.ROUND_STAGE_FINALIZED)),
                self.stages.get((epoch, number, oracle_pb.ROUND_STAGE_TRANSMITTED)),
                self.blocks.get(block),
            )
            known = [moment for moment in moments if moment is not None]
            if len(known) == len(moments):
                found.append(tuple(known))
        return found

    def _quote(self, value: int, observed_ms: float | None) -> tuple[float | None, float | None]:
        """Return stamp and making of the last quote with this value before it was observed."""
        made = [quote for quote in self.quotes.get(value, ()) if observed_ms is not None and quote[1] <= observed_ms]
        return max(made, key=lambda quote: quote[1], default=(None, None))


def run() -> Report:
    """Measure a mesh of four oracles and one feed."""
    with own_directory() as directory, _market() as market:
        offset = free_port_offset()
        config = _write(directory, offset, market)
        with stopping(Mesh(directory, offset, config=config)) as mesh:
            seen = asyncio.run(_measure(mesh, f"http://127.0.0.1:{8545 + offset}"))
    return report(seen)


def report(seen: Seen) -> Report:
    """Return the rows of what was heard; RuntimeError if no answer could be followed."""
    hops = seen.hops()
    if not hops:
        raise RuntimeError(f"of {len(seen.answers)} answers none could be followed from its stamp to its block")
    whole = [moments[-1] - moments[0] for moments in hops]
    rows = [
        Row("the exchange's stamp → block: p50", statistics.median(whole), "ms", at_most=BLOCK_MS + 700),
        Row("the exchange's stamp → block: p99", _p99(whole), "ms", at_most=2 * BLOCK_MS + 1_000),
        Row("  sum of the configured waits", sum(WAITS_MS.values()), "ms"),
        Row("  p50, of that sum", statistics.median(whole) / sum(WAITS_MS.values()), "ratio", more_is_better=False),
    ]
    for place, (name, wait_ms) in enumerate(WAITS_MS.items()):
        taken = [moments[place + 1] - moments[place] for moments in hops]
        rows += [
            Row(f"{name}: p50", statistics.median(taken), "ms", more_is_better=False),
            Row("  p99", _p99(taken), "ms"),
            Row("  configured wait, at most", wait_ms, "ms"),
        ]
    rows += [
        Row("answers followed from stamp to block", len(hops), "answers"),
        Row("  of all answers", len(hops) / len(seen.answers), "ratio", at_least=0.8),
    ]
    notes = (
        f"the market ticks every {TICK_MS} ms, blocks come every {BLOCK_MS} ms, deltaRound is {OCR['deltaRoundMs']} ms",
        "an observation takes the quote of its moment, which is the older the longer the last tick is ago",
    )
    return Report("a price's way from the exchange into a block", tuple(rows), notes)


def _p99(values: Sequence[float]) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]


@contextlib.contextmanager
def _market() -> Iterator[Server]:
    port = free_port()
    arguments = ("devkit.market", "--port", str(port), "--tick-ms", str(TICK_MS))
    with serving(*arguments, port=port, core=LOAD_CORE, path="/healthz") as market:
        yield market


def _write(directory: Path, offset: int, market: Server) -> Path:
    """Write the embedded profile with fast rounds, streams, and this market in place of its own; return its path."""
    path = profile.write(directory / "data", directory / "run", _NODES, (FEED,), offset)
    document = orjson.loads(path.read_bytes())
    mesh, aggregator = document["solution"]["mesh"], document["solution"]["priceAggregatorConfig"]
    mesh["market"] = {"enabled": False}
    mesh["devchain"]["blockTimeSeconds"] = BLOCK_MS // 1000
    mesh["ocr"] = OCR
    aggregator["quotes"]["requestTimeoutMs"] = REQUEST_MS
    streaming = {name for name, state in orjson.loads(fetch(market.url + "/control")).items() if "stream" in state}
    settings = next(iter(aggregator["sources"].values()))
    aggregator["sources"] = {name: dict(settings) for name in _SOURCES}
    for name, source in aggregator["sources"].items():
        source["baseUrl"] = f"{market.url}/{name}"
        if name in streaming:
            source["stream"] = {"wsUrl": f"{market.url.replace('http', 'ws', 1)}/{name}/ws"}
    path.write_bytes(orjson.dumps(document))
    return path


async def _measure(mesh: Mesh, rpc_url: str) -> Seen:
    seen = Seen()
    async with contextlib.AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        watches: list[Callable[[], AsyncIterator[None]]] = [
            lambda: _quotes(mesh.run_dir, seen),
            lambda: _answers(mesh.run_dir, seen),
            lambda: _blocks(session, rpc_url, seen),
            *((lambda node=node: _stages(mesh.run_dir, node, seen)) for node in range(2, _NODES + 1)),
        ]
        tasks = [asyncio.create_task(_again(watch)) for watch in watches]
        try:
            try:
                await until(lambda: mesh.process.poll() is not None or len(seen.hops()) >= 3, "answers", _START_S)
                assert mesh.process.poll() is None, "the mesh ended"
            except AssertionError as error:
                raise RuntimeError(
                    f"{error}; heard were {seen.counts()}; the mesh said: {mesh.text()[-2000:]}"
                ) from None
            seen.answers.clear()
            for _ in range(_LAGS):
                await asyncio.sleep(MEASURED_S / _LAGS)
                await _shift_blocks(session, rpc_url, seen)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return seen


async def _again(watch: Callable[[], AsyncIterator[None]]) -> None:
    """Watch until cancelled: while the mesh starts, who is asked is not there yet."""
    while True:
        with contextlib.suppress(grpc.aio.AioRpcError, aiohttp.ClientError, OSError):
            async for _ in watch():
                pass
        await asyncio.sleep(0.5)


async def _quotes(run_dir: Path, seen: Seen) -> AsyncIterator[None]:
    base, currency = FEED.split(" / ")
    asked = quote_pb.StreamQuotesRequest(pairs=[quote_pb.Pair(base=base, quote=currency)])
    async with channel(run_dir / "aggregator.sock") as connection:
        async for change in quote_grpc.QuoteServiceStub(connection).StreamQuotes(asked):
            quote = change.result.quote
            stamps = [_ms(used.exchange_time) for used in quote.sources if used.HasField("exchange_time")]
            if stamps:
                made = seen.quotes.setdefault(int(Decimal(quote.price) * _UNITS), [])
                made.append((min(stamps), _now_ms()))
            yield


async def _answers(run_dir: Path, seen: Seen) -> AsyncIterator[None]:
    async with channel(run_dir / "operator.sock") as connection:
        stub = operator_grpc.OperatorServiceStub(connection)
        async for response in stub.WatchRounds(operator_pb.WatchRoundsRequest()):
            found = response.round
            seen.answers[found.epoch, found.round] = int(Decimal(found.answer) * _UNITS), found.block_number
            yield


async def _stages(run_dir: Path, node: int, seen: Seen) -> AsyncIterator[None]:
    async with channel(run_dir / f"chainlink-node-{node}.sock") as connection:
        stub = oracle_grpc.OracleServiceStub(connection)
        async for stage in stub.WatchRounds(oracle_pb.WatchRoundsRequest()):
            at_ms, key = _ms(stage.time), (stage.epoch, stage.round, stage.stage)
            seen.stages[key] = min(at_ms, seen.stages.get(key, at_ms))
            if stage.stage == oracle_pb.ROUND_STAGE_OBSERVED and stage.value:
                value = stage.epoch, stage.round, int(stage.value)
                seen.observed[value] = min(at_ms, seen.observed.get(value, at_ms))
            yield


async def _shift_blocks(session: aiohttp.ClientSession, rpc_url: str, seen: Seen) -> None:
    """Begin the chain's interval anew a part of it after a block, by which all later blocks are that much later."""
    number = len(seen.blocks)
    await until(lambda: len(seen.blocks) > number, "a block", _START_S)
    await asyncio.sleep(BLOCK_MS / _LAGS / 1000)
    asked = {"jsonrpc": "2.0", "id": 1, "method": "evm_setIntervalMining", "params": [BLOCK_MS // 1000]}
    async with session.post(rpc_url, json=asked) as response:
        answer = await response.json()
        if "error" in answer:
            raise RuntimeError(f"the chain's interval cannot be begun anew: {answer['error']}")


async def _blocks(session: aiohttp.ClientSession, rpc_url: str, seen: Seen) -> AsyncIterator[None]:
    asked = {"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []}
    while True:
        async with session.post(rpc_url, json=asked) as response:
            number = int((await response.json())["result"], 16)
        seen.blocks.setdefault(number, _now_ms())
        yield
        await asyncio.sleep(_LOOK_S)


def _ms(moment: Timestamp) -> float:
    return moment.ToNanoseconds() / 1e6


def _now_ms() -> float:
    return time.time() * 1000


if __name__ == "__main__":
    sys.stdout.buffer.write(run().json() + b"\n")
