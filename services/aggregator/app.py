"""Join the parts: one engine feeds HTTP, gRPC and the push of its metrics."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from feedmesh.aggregator.v1.quote_service_pb2_grpc import add_QuoteServiceServicer_to_server
from meshkit.clock import Clock, SystemClock
from meshkit.configuration.solution import Configuration
from meshkit.log import get_logger
from meshkit.metrics import Registry
from meshkit.mutual_tls.peer_role import AGGREGATOR
from meshkit.paths import RunDir
from meshkit.process.background_tasks import BackgroundTasks
from meshkit.push import config as push
from meshkit.push import metrics as push_metrics
from meshkit.push.page import Page
from meshkit.push.pusher import Pusher
from meshkit.rpc.remote_endpoints import listener, remote
from meshkit.rpc.server import MeshServer
from services.aggregator import service
from services.aggregator.config import AggregatorConfig, read_market_data
from services.aggregator.engine.chain_references import ChainReferences
from services.aggregator.engine.engine import Engine
from services.aggregator.engine.market_data import FEED as MARKET_CAP_FEED
from services.aggregator.engine.market_data import PAIR as MARKET_CAP_PAIR
from services.aggregator.engine.market_data import MarketData
from services.aggregator.engine.status_metrics import StatusMetrics
from services.aggregator.metrics import open_registry
from services.aggregator.own_clock import OwnClock
from services.aggregator.sources import client, factory
from services.aggregator.sources.markets import markets_of
from services.aggregator.streams.catalog import open_streams
from services.aggregator.web import server as http_server
from services.aggregator.web.routes import HttpApi

_log = get_logger(__name__)


async def serve(configuration: Configuration, settings: AggregatorConfig, run_dir: RunDir) -> None:
    """Serve until SIGTERM or SIGINT; what was started is stopped in the reverse order."""
    clock, metrics = SystemClock(), open_registry()
    section = configuration.solution.price_aggregator_config.metrics_push
    # POST, as importers of samples take it and deployments are used to.
    receiver = push.read(
        section, "solution.priceAggregatorConfig.metricsPush", "POST", egress=configuration.solution.mesh.egress
    )
    network = configuration.solution.mesh.network
    operator = remote(network, network.operator_host, network.ports.operator_grpc, AGGREGATOR)
    figures = read_market_data(configuration)
    if not figures.enabled and MARKET_CAP_FEED in configuration.solution.mesh.feeds:
        _log.warning("feed_without_source", feed=MARKET_CAP_FEED)
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(client.open_session(settings.egress))
        own_clock = OwnClock(clock, metrics)
        sources = factory.open_sources(session, settings.sources.values(), clock, own_clock)
        streams = open_streams(session, settings.streams, clock, metrics, markets_of(sources))
        engine = Engine(settings, sources, clock, metrics, streams, own_clock)
        stack.push_async_callback(engine.close)
        market = MarketData(session, figures, clock, metrics, own_clock)
        stack.push_async_callback(market.close)
        StatusMetrics(engine.status, market, clock, metrics)
        tcp = listener(network, network.ports.aggregator_grpc, AGGREGATOR)
        server = MeshServer("price-aggregator", run_dir.socket("aggregator"), tcp=tcp, registry=metrics)
        server.add(add_QuoteServiceServicer_to_server, service.QuoteService(engine), service.NAME)
        api = HttpApi(engine, clock, metrics, market)
        await stack.enter_async_context(await http_server.listen(api.build(), settings.http_port, api.fast_answers()))
        references = ChainReferences(
            operator or run_dir.socket("operator"),
            clock,
            metrics,
            wait_s=settings.reference_wait_ms / 1000,
            but=settings.reference_prices,
            refer=lambda pair, price: market.refer(price) if pair == MARKET_CAP_PAIR else engine.refer(pair, price),
            hold=engine.wait_for_references,
        )
        stack.push_async_callback(references.close)
        references.start()
        await engine.start()
        market.start()
        if receiver is not None:
            await stack.enter_async_context(pushing(receiver, metrics, clock))
        await server.start(serving=False)
        tasks = await stack.enter_async_context(BackgroundTasks(clock, metrics))
        tasks.start("announcement", lambda: service.announce(engine, server))
        await server.serve_until_signal()


@asynccontextmanager
async def pushing(receiver: push.PushConfig, metrics: Registry, clock: Clock) -> AsyncIterator[None]:
    """Push the metrics, those of the push among them, while the context lasts."""

    async def render() -> Sequence[Page]:
        return [Page(metrics.render())]

    async with Pusher(receiver, render, clock) as pusher:
        push_metrics.show(metrics, pusher, clock.time_ms)
        async with BackgroundTasks(clock, metrics) as tasks:
            tasks.start("push", pusher.run)
            yield
        await pusher.finish()
