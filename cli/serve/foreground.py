"""
Run one service alone, in the foreground: `feedmesh serve`.

Nobody restarts it here: that is for what started us. It ends with the service's exit code, or in order on SIGTERM or
SIGINT; a second signal, or a stop that takes too long, kills it. Should we be killed, the kernel kills it.
"""

import asyncio
import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from cli.errors import CliError
from cli.serve import node_config, verdict
from cli.serve.served_service import ServedService, service_of
from meshkit import log
from meshkit.configuration.load import load
from meshkit.mutual_tls.tunnel import Tunnels
from meshkit.paths import DataDir, RunDir
from meshkit.process import exec_shim
from meshkit.rpc.remote_endpoints import own_certificates

_KILLED: Final = 137


async def serve(kind: str, node: int | None, config: Path, run_dir: Path | None) -> int:
    """
    Run a service until it ends or a signal comes, and return its exit code; 0 after an ordered stop.

    Raises UsageError, InvalidConfiguration, UnusableCertificate or FailedPrecondition before anything has started.
    """
    solution = load(config).solution
    place = RunDir((run_dir or solution.mesh.run_dir).absolute())
    service = service_of(kind, node, solution, config.absolute(), place, os.environ)
    log.configure(service.name)
    place.path.mkdir(mode=0o750, parents=True, exist_ok=True)
    # What an earlier one said of itself is not true of this one.
    place.verdict.unlink(missing_ok=True)
    network, data = solution.mesh.network, DataDir(solution.mesh.data_dir.absolute())
    stopping, hurrying = _signals()
    async with AsyncExitStack() as stack:
        if network.is_spread_out:
            certificates = own_certificates(network, service.role)
            await stack.enter_async_context(Tunnels(certificates, service.tunnels))
        if node is not None:
            target = place.own(service.name) / "config.toml"
            await node_config.write(data.node(node) / "config.toml", target, network.listen_address, service.peers_at)
            data.node_home(node).mkdir(mode=0o700, parents=True, exist_ok=True)
        asking = asyncio.create_task(verdict.publish(service, place))
        try:
            return await _run(service, stopping, hurrying)
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            place.verdict.unlink(missing_ok=True)


async def _run(service: ServedService, stopping: asyncio.Event, hurrying: asyncio.Event) -> int:
    logger = log.get_logger(__name__)
    command = exec_shim.command(list(service.command), directory="/")
    try:
        # A session of its own: Ctrl-C at a terminal reaches us only, and the stop stays ordered.
        child = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, env=dict(service.environment), start_new_session=True
        )
    except OSError as error:
        raise CliError(f"{service.name} cannot be started: {error.strerror}") from error
    logger.info("started", pid=child.pid)
    ended = asyncio.create_task(child.wait())
    asked = asyncio.create_task(stopping.wait())
    hurried = asyncio.create_task(hurrying.wait())
    try:
        await asyncio.wait({ended, asked}, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            logger.info("stopping", grace_s=service.grace_s)
            child.terminate()
            await asyncio.wait({ended, hurried}, timeout=service.grace_s, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            logger.error("killed", grace_s=service.grace_s)
            os.killpg(child.pid, signal.SIGKILL)
            await ended
            return _KILLED
        code = await ended
        logger.info("ended", code=code)
        if asked.done() and code == -signal.SIGTERM:
            # The signal came before the service had begun to listen for it, so nothing was to be put in order.
            return 0
        return code if code >= 0 else 128 - code
    finally:
        if child.returncode is None:
            os.killpg(child.pid, signal.SIGKILL)
            await child.wait()
        for waiting in (ended, asked, hurried):
            waiting.cancel()


def _signals() -> tuple[asyncio.Event, asyncio.Event]:
    first, second = asyncio.Event(), asyncio.Event()

    def on_signal() -> None:
        (second if first.is_set() else first).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)
    return first, second
