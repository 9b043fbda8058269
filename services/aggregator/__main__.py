"""Run the price aggregator: python -m services.aggregator."""

import asyncio
import os

from feedmesh.aggregator.v1.quote_service_pb2_grpc import add_QuoteServiceServicer_to_server
from meshkit import log
from meshkit.clock import SystemClock
from meshkit.configuration.load import load
from meshkit.paths import RunDir, default_run_dir
from meshkit.runtime import run
from meshkit.server import MeshServer
from services.aggregator import config, http, market_data, service
from services.aggregator.engine import Engine
from services.aggregator.metrics import open_registry
from services.aggregator.sources import client, opening
from services.aggregator.streams.catalog import open_streams


async def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    log.configure("price-aggregator")
    configuration = load(config.path(os.environ))
    settings = config.read(configuration)
    log.configure("price-aggregator", settings.log_level)
    clock, metrics = SystemClock(), open_registry()
    async with client.open_session() as session:
        streams = open_streams(session, settings, clock, metrics)
        engine = Engine(settings, opening.open_sources(session, settings, clock), clock, metrics, streams)
        server = MeshServer("price-aggregator", RunDir(default_run_dir()).socket("aggregator"), registry=metrics)
        server.add(add_QuoteServiceServicer_to_server, service.QuoteService(engine), service.NAME)
        market = market_data.MarketData(session, market_data.read(configuration), clock)
        api = http.HttpApi(engine, clock, metrics, market)
        runner = await http.listen(api.build(), settings.http_port, api.answers())
        await engine.start()
        market.start()
        await server.start(serving=False)
        announcement = asyncio.create_task(service.announce(engine, server))
        await server.serve_until_signal()
        announcement.cancel()
        await runner.cleanup()
        await market.close()
        await engine.close()


if __name__ == "__main__":
    run(main)
