"""
`python -m services.operator`: prepare the nodes' files, then serve, then reconcile for ever.

With `prepare` it ends when the files are there, which is for nodes on machines of their own.
"""

import gc

# What imports make stays; looking through it again and again takes a tenth of a start. `runtime.run` begins with it.
gc.disable()

import argparse
import asyncio
import os
from contextlib import AsyncExitStack
from typing import Any

from feedmesh.operator.v1 import operator_service_pb2_grpc as pb_grpc
from meshkit import log
from meshkit.clock import SystemClock
from meshkit.configuration.keys_by_service import OPERATOR
from meshkit.configuration.load import load_from_environment
from meshkit.mutual_tls import peer_role
from meshkit.paths import RunDir, default_run_dir
from meshkit.process import core_dumps, runtime
from meshkit.rpc.remote_endpoints import listener
from meshkit.rpc.server import MeshServer
from services.operator.app import Operator
from services.operator.config import OperatorConfig
from services.operator.metrics import OperatorMetrics
from services.operator.nodes import prepare_nodes, vanished_templates
from services.operator.service import NAME, OperatorService


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m services.operator", description="Keys, files, contracts and jobs.")
    parser.add_argument("command", nargs="?", choices=("prepare",), help="make the nodes' files only")
    return parser.parse_args()


async def main() -> None:
    """Run until SIGTERM or SIGINT."""
    log.configure("operator")
    configuration = load_from_environment(os.environ, OPERATOR)
    network = configuration.solution.mesh.network
    config = OperatorConfig.of(configuration)
    if _arguments().command == "prepare":
        with prepare_nodes.sole_use(config):
            await prepare_nodes.prepare(config)
        return
    tcp = listener(network, network.ports.operator_grpc, peer_role.OPERATOR)
    async with AsyncExitStack() as stack:
        stack.enter_context(prepare_nodes.sole_use(config))
        config = vanished_templates.checked(config)
        prepared = await prepare_nodes.prepare(config)
        service = OperatorService(config, prepared)
        metrics = OperatorMetrics(SystemClock())
        socket = RunDir(default_run_dir()).socket("operator")
        server = MeshServer("operator", socket, tcp=tcp, registry=metrics.registry)
        server.add(pb_grpc.add_OperatorServiceServicer_to_server, service, NAME)
        await server.start()
        service.operator = Operator(config, prepared, SystemClock(), metrics)
        background = await stack.enter_async_context(service.operator.running(server.set_alive))
        serving = asyncio.ensure_future(server.serve_until_signal())
        either: set[asyncio.Future[Any]] = {serving, background}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if background.done():
            await server.stop()
            background.result()
        await serving


if __name__ == "__main__":
    core_dumps.forbid()
    runtime.run(main)
