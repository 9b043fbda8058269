"""`python -m services.operator`: prepare the nodes' files, then serve, then reconcile for ever."""

import asyncio
import importlib
import os
from contextlib import AsyncExitStack
from typing import Any

from feedmesh.operator.v1 import operator_service_pb2_grpc as pb_grpc
from meshkit import log, runtime
from meshkit.clock import SystemClock
from meshkit.configuration.keys_by_service import OPERATOR
from meshkit.configuration.load import load_from_environment
from meshkit.paths import RunDir, default_run_dir
from meshkit.server import MeshServer
from services.operator.config import OperatorConfig
from services.operator.nodes import node_files
from services.operator.service import NAME, OperatorService


async def main() -> None:
    """Run until SIGTERM or SIGINT."""
    log.configure("operator")
    config = OperatorConfig.of(load_from_environment(os.environ, OPERATOR))
    prepared = await node_files.prepare(config)
    service = OperatorService(config, prepared)
    server = MeshServer("operator", RunDir(default_run_dir()).socket("operator"))
    server.add(pb_grpc.add_OperatorServiceServicer_to_server, service, NAME)
    await server.start()
    # web3 takes seconds to import; on a thread it delays neither the nodes, which wait for our files, nor our answers.
    module: Any = await asyncio.to_thread(importlib.import_module, "services.operator.app")
    service.operator = module.Operator(config, prepared, SystemClock())
    async with AsyncExitStack() as stack:
        background = await stack.enter_async_context(service.operator.running())
        serving = asyncio.ensure_future(server.serve_until_signal())
        await asyncio.wait({serving, background}, return_when=asyncio.FIRST_COMPLETED)
        if background.done():
            await server.stop()
            background.result()
        await serving


if __name__ == "__main__":
    runtime.run(main)
