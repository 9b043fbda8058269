"""The observer against real gRPC servers."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from feedmesh.aggregator.v1 import quote_service_pb2 as quotes
from feedmesh.aggregator.v1 import quote_service_pb2_grpc as quotes_grpc
from feedmesh.operator.v1 import operator_service_pb2 as operator
from feedmesh.operator.v1 import operator_service_pb2_grpc as operator_grpc
from feedmesh.supervisor.v1 import supervisor_service_pb2 as supervisor
from meshkit.clock import ManualClock
from meshkit.paths import RunDir
from meshkit.rpc.server import MeshServer
from services.metrics.verdict.observer import MeshObserver
from services.metrics.verdict.verdict import ClockSeen, FeedSeen, Observation, ServiceSeen, SourceSeen
from tests.metrics.fakes import FakeSupervisor


class _Quotes(quotes_grpc.QuoteServiceServicer):
    async def ListSources(self, request: Any, context: Any) -> quotes.ListSourcesResponse:
        return quotes.ListSourcesResponse(
            sources=[
                quotes.SourceState(name="binance", enabled=True, available=True),
                quotes.SourceState(name="okx", enabled=True, available=False),
                quotes.SourceState(name="finnhub", enabled=False, available=False),
            ],
            own_clock=quotes.OwnClock(off=True, ahead_ms=-90_000, agreeing=2, timed=3),
        )

    async def BatchGetQuotes(self, request: Any, context: Any) -> quotes.BatchGetQuotesResponse:
        bitcoin, ether = request.pairs
        return quotes.BatchGetQuotesResponse(
            results=[
                quotes.QuoteResult(pair=bitcoin, quote=quotes.Quote(pair=bitcoin, price="50001.5")),
                quotes.QuoteResult(pair=ether, error=quotes.QuoteError(reason="UNAVAILABLE")),
            ]
        )


class _Operator(operator_grpc.OperatorServiceServicer):
    chain_away = False

    async def ListFeeds(self, request: Any, context: Any) -> operator.ListFeedsResponse:
        if self.chain_away:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "eth_call: no connection")
        return operator.ListFeedsResponse(
            feeds=[
                operator.Feed(
                    name="BTC / USD",
                    phase=operator.FEED_PHASE_RUNNING,
                    update_time=Timestamp(seconds=1_782_000_000),
                    answer="50000",
                    round_id=3,
                ),
                operator.Feed(name="ETH / USD", phase=operator.FEED_PHASE_DEPLOYED),
            ]
        )


async def test_what_is_seen(run_dir: Path) -> None:
    """States, enabled sources, answers and prices are taken over; what gives no answer is told with its words."""
    paths, servicer = RunDir(run_dir), _Operator()  # type: ignore[abstract]  # only the stubs call it abstract
    fake = FakeSupervisor(paths.socket("supervisor"))
    fake.says(
        1,
        supervisor.Service(name="postgres-init", state=supervisor.SERVICE_STATE_COMPLETED),
        supervisor.Service(name="chainlink-node-2", state=supervisor.SERVICE_STATE_BACKOFF),
    )
    clock = ManualClock(1_782_000_007_500)
    async with AsyncExitStack() as stack:
        for socket, add, service, name in (
            ("aggregator", quotes_grpc.add_QuoteServiceServicer_to_server, _Quotes(), "feedmesh.aggregator"),  # type: ignore[abstract]
            ("operator", operator_grpc.add_OperatorServiceServicer_to_server, servicer, "feedmesh.operator"),
        ):
            server = MeshServer(socket, paths.socket(socket), drain_s=0)
            server.add(add, service, name)
            await server.start()
            stack.push_async_callback(server.stop)
        await fake.start()
        pairs = {"BTC / USD": ("BTC", "USD"), "ETH / USD": ("ETH", "USD")}
        observer = await stack.enter_async_context(MeshObserver(paths, clock, pairs))
        seen = await observer.look()
        servicer.chain_away = True
        await fake.stop()
        away = await observer.look()

    assert seen == Observation(
        services=[ServiceSeen("postgres-init", "completed", True), ServiceSeen("chainlink-node-2", "backoff", False)],
        sources=[SourceSeen("binance", True), SourceSeen("okx", False)],
        feeds=[
            FeedSeen("BTC / USD", True, 7.5, "50000", 1_782_000_000, 3, "50001.5"),
            FeedSeen("ETH / USD", False, None),
        ],
        trouble={},
        clock=ClockSeen(off=True, ahead_ms=-90_000, agreeing=2, timed=3),
        priced=True,
    )
    assert away.trouble["chain"] == "eth_call: no connection"
    assert (None, None) == (away.services, away.feeds)
    assert {"chain", "supervisor"} == set(away.trouble)
