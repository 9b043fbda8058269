import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import grpc.aio
import pytest

from feedmesh.operator.v1 import operator_service_pb2 as pb
from feedmesh.operator.v1 import operator_service_pb2_grpc as pb_grpc
from meshkit.clock import ManualClock, SystemClock
from meshkit.errors import Unavailable
from meshkit.rpc.server import MeshServer
from services.aggregator.engine.chain_references import ChainReferences
from services.aggregator.metrics import open_registry
from services.aggregator.prices.pair import Pair
from tests.aggregator.bench import Bench
from tests.aggregator.fakes import BTC, ETH, settings
from tests.waiting import until


class Operator(pb_grpc.OperatorServiceServicer):
    """Tell feeds, once `ready` is set; fail while `failing`."""

    def __init__(self, *feeds: pb.Feed) -> None:
        self.feeds = feeds
        self.failing = False
        self.asked = 0
        self.ready = asyncio.Event()
        self.ready.set()

    async def ListFeeds(
        self,
        request: pb.ListFeedsRequest,
        context: "grpc.aio.ServicerContext[pb.ListFeedsRequest, pb.ListFeedsResponse]",
    ) -> pb.ListFeedsResponse:
        """Return the feeds."""
        self.asked += 1
        await self.ready.wait()
        if self.failing:
            raise Unavailable("the operator is starting")
        return pb.ListFeedsResponse(feeds=self.feeds)


def operator_of(*feeds: pb.Feed) -> Operator:
    """Return an operator that answers this one call only."""
    return Operator(*feeds)  # type: ignore[abstract]


@asynccontextmanager
async def serving(run_dir: Path, operator: Operator) -> AsyncIterator[Path]:
    """Serve an operator, and give its socket."""
    socket = run_dir / "operator.sock"
    server = MeshServer("operator", socket, registry=open_registry())
    server.add(pb_grpc.add_OperatorServiceServicer_to_server, operator, "feedmesh.operator.v1.OperatorService")
    await server.start()
    try:
        yield socket
    finally:
        await server.stop()


class Taken:
    """What was taken as references, and whether first prices wait."""

    def __init__(self) -> None:
        self.prices: dict[Pair, Decimal] = {}
        self.holds: list[bool] = []

    def references(
        self, socket: Path, clock: ManualClock | SystemClock, wait_s: float = 5.0, but: Collection[Pair] = ()
    ) -> ChainReferences:
        """Return what asks the operator at a socket."""
        return ChainReferences(
            socket, clock, wait_s=wait_s, but=but, refer=self.prices.__setitem__, hold=self.holds.append
        )


async def test_the_last_answers_are_the_references_of_their_feeds(run_dir: Path) -> None:
    """Of feeds that have one and that we know; first prices wait until they are there, and not for a configured one."""
    operator = operator_of(
        pb.Feed(name="BTC / USD", answer="64000.5"),
        pb.Feed(name="ETH / USD", answer=""),
        pb.Feed(name="EUR / USD", answer="-1"),
        pb.Feed(name="LINK / USD", answer="lots"),
        pb.Feed(name="NVDA / USD", answer="1214"),
        pb.Feed(name="nothing / USD", answer="1"),
    )
    taken = Taken()
    async with serving(run_dir, operator) as socket:
        references = taken.references(socket, SystemClock(), but={Pair("NVDA", "USD")})
        references.start()

        assert [True] == taken.holds

        await until(lambda: taken.holds == [True, False])
        await references.close()

    assert {BTC: Decimal("64000.5")} == taken.prices
    assert 1 == operator.asked


async def test_without_an_operator_nothing_waits(run_dir: Path) -> None:
    """There is no socket: first prices need no answer; when it comes there, it is asked."""
    taken = Taken()
    references = taken.references(run_dir / "operator.sock", SystemClock())
    references.start()
    await until(lambda: taken.holds == [False])
    async with serving(run_dir, operator_of(pb.Feed(name="BTC / USD", answer="64000.5"))):
        await until(lambda: BTC in taken.prices)
        await references.close()


async def test_an_operator_that_is_starting_holds_nobody_up(run_dir: Path) -> None:
    """It has no answers yet, and says so; it is asked again."""
    operator, taken = operator_of(pb.Feed(name="BTC / USD", answer="64000.5")), Taken()
    operator.failing = True
    async with serving(run_dir, operator) as socket:
        references = taken.references(socket, SystemClock())
        references.start()
        await until(lambda: False in taken.holds)

        assert {} == taken.prices

        operator.failing = False
        await until(lambda: BTC in taken.prices)
        await references.close()


async def test_first_prices_wait_only_so_long(run_dir: Path) -> None:
    """An operator that says nothing is waited for as long as the configuration says; its answer counts all the same."""
    operator, taken = operator_of(pb.Feed(name="BTC / USD", answer="64000.5")), Taken()
    operator.ready.clear()
    clock = ManualClock()
    async with serving(run_dir, operator) as socket:
        references = taken.references(socket, clock, wait_s=2.0)
        references.start()
        await until(lambda: operator.asked == 1)
        clock.advance(2.0)
        await until(lambda: taken.holds == [True, False])

        assert {} == taken.prices

        operator.ready.set()
        await until(lambda: BTC in taken.prices)
        await references.close()


@pytest.mark.parametrize(("price", "expected"), [("6400000", "PRICE_UNCONFIRMED"), ("64001", "64001")])
async def test_a_first_price_waits_for_its_reference_and_is_held_against_it(price: str, expected: str) -> None:
    """While the chain is asked there is no price; then one that is two places too high is none, and a near one is."""
    bench = Bench(settings("kraken", "coinbase", jump_guard_bps=1_000, pinned=(BTC,)))
    for source in bench.sources:
        source.prices = {BTC: price, ETH: "5"}
    bench.engine.wait_for_references(True)
    await bench.engine.start()
    await bench.run(1)
    asked = asyncio.create_task(bench.engine.answers.quotes([BTC], timeout_s=0.5))
    await bench.run(1)

    assert "PRICE_UNCONFIRMED" == getattr((await asked)[0][1], "reason", None)

    bench.engine.refer(BTC, Decimal(64_000))
    bench.engine.wait_for_references(False)
    result = (await bench.engine.answers.quotes([BTC], timeout_s=0))[0][1]
    found = str(getattr(result, "price", "")) if expected == price else getattr(result, "reason", None)

    assert expected == found
    await bench.engine.close()
