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
from feedmesh.oracle.v1 import oracle_service_pb2 as oracle
from feedmesh.oracle.v1 import oracle_service_pb2_grpc as oracle_grpc
from feedmesh.supervisor.v1 import supervisor_service_pb2 as supervisor
from meshkit.clock import ManualClock
from meshkit.paths import RunDir
from meshkit.rpc.server import MeshServer
from services.metrics.verdict.observer import MeshObserver
from services.metrics.verdict.verdict import (
    ClockSeen,
    FeedSeen,
    MoneySeen,
    Observation,
    OracleSeen,
    ServiceSeen,
    SourceSeen,
)
from tests.metrics.fakes import FakeSupervisor

# The second one runs nowhere, as Chainlink's own node, which tells nothing.
ORACLES = ("chainlink-node-2", "chainlink-node-3")


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

    async def ListBalances(self, request: Any, context: Any) -> operator.ListBalancesResponse:
        if self.chain_away:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "eth_getBalance: no connection")
        balances = [operator.Balance(name=name, balance_wei="7") for name in ("faucet", "chainlink-node-2")]
        return operator.ListBalancesResponse(balances=balances, transmission_cost_wei="5")


class _Oracle(oracle_grpc.OracleServiceServicer):
    async def ListJobs(self, request: Any, context: Any) -> oracle.ListJobsResponse:
        return oracle.ListJobsResponse(
            jobs=[
                oracle.JobStatus(name="BTC / USD", last_error="observation failed: timed out"),
                oracle.JobStatus(name="ETH / USD", last_error="transmission of epoch 1 round 2 failed: away"),
                oracle.JobStatus(name="bootstrap BTC / USD", bootstrap=True),
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
            ("chainlink-node-2", oracle_grpc.add_OracleServiceServicer_to_server, _Oracle(), "feedmesh.oracle"),  # type: ignore[abstract]
        ):
            server = MeshServer(socket, paths.socket(socket), drain_s=0)
            server.add(add, service, name)
            await server.start()
            stack.push_async_callback(server.stop)
        await fake.start()
        pairs = {"BTC / USD": ("BTC", "USD"), "ETH / USD": ("ETH", "USD")}
        observer = await stack.enter_async_context(MeshObserver(paths, clock, pairs, oracles=ORACLES))
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
        jobs=[
            OracleSeen("chainlink-node-2", "BTC / USD", "observation failed: timed out"),
            OracleSeen("chainlink-node-2", "ETH / USD", ""),
        ],
        money=[MoneySeen("chainlink-node-2", 7, 5)],
        priced=True,
    )
    assert away.trouble["chain"] == "eth_call: no connection"
    assert (None, None) == (away.services, away.feeds)
    assert {"chain", "money", "supervisor"} == set(away.trouble)


async def test_a_node_that_may_not_be_looked_at(run_dir: Path) -> None:
    """A node whose socket cannot even be looked at, as that of another user, tells nothing and hides nothing else."""
    async with MeshObserver(RunDir(run_dir), ManualClock(1_000_000), oracles=("x" * 300,)) as observer:
        seen = await observer.look()

    assert [] == list(seen.jobs)
    assert {"supervisor", "sources", "chain", "money"} == set(seen.trouble)
