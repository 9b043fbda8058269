"""The long-running command: the gRPC service."""

from feedmesh.dbinit.v1 import database_service_pb2_grpc as rpc
from meshkit import log
from meshkit.clock import SystemClock
from meshkit.metrics import Registry
from meshkit.process import runtime
from meshkit.process.background_tasks import BackgroundTasks
from meshkit.rpc.server import MeshServer
from services.dbinit import config
from services.dbinit.database_metrics import METRICS, DatabaseMetrics
from services.dbinit.databases.connection import forget
from services.dbinit.service import NAME, DatabaseService


def run() -> None:
    """Serve until SIGTERM or SIGINT."""
    log.configure("dbinit")
    runtime.run(_serve)


async def _serve() -> None:
    settings, clock, registry = config.from_environment(), SystemClock(), Registry(METRICS)
    server = MeshServer("dbinit", settings.socket, registry=registry)
    server.add(rpc.add_DatabaseServiceServicer_to_server, DatabaseService(settings), NAME)
    try:
        await server.start()
        async with BackgroundTasks(clock, registry) as tasks:
            tasks.start("databases", DatabaseMetrics(settings, clock, registry).run)
            await server.serve_until_signal()
    finally:
        forget(settings.run_dir)
