"""Join the parts: one collector feeds the page, the gRPC service and the push."""

from collections.abc import Mapping
from contextlib import AsyncExitStack

from meshkit.clock import Clock
from meshkit.metrics import RPC_METRICS, Registry
from meshkit.paths import RunDir
from meshkit.process import memory_limit
from meshkit.process.background_tasks import TASK_METRICS, BackgroundTasks
from meshkit.push import Pusher
from meshkit.rpc.server import MeshServer
from services.metrics import names, page, processes, service
from services.metrics.collector import Collector
from services.metrics.config import MetricsConfig
from services.metrics.exposition import Sample, render
from services.metrics.families import samples
from services.metrics.supervisor import SupervisorLink
from services.metrics.verdict.observer import MeshObserver
from services.metrics.verdict.publisher import VerdictPublisher


async def serve(config: MetricsConfig, run_dir: RunDir, clock: Clock) -> None:
    """
    Serve until SIGTERM or SIGINT.

        SupervisorLink ─┐
        process table  ─┴─▶ Collector ◀── sampling task (keeps the CPU windows short)
                                │
              ┌─────────────────┼──────────────────┐
              ▼                 ▼                  ▼
        HTTP /metrics     metrics.sock      push task (if configured)

    The tasks run for ever; they are cancelled once the servers have stopped.
    """
    registry = Registry((*RPC_METRICS, *TASK_METRICS))
    async with AsyncExitStack() as stack:
        link = await stack.enter_async_context(SupervisorLink(run_dir.socket("supervisor")))
        collector = Collector(link.plan, processes.read, clock)
        pusher: Pusher | None = None

        async def all_samples() -> list[Sample]:
            own = [] if pusher is None else push_samples(pusher)
            limit = Sample(names.MEMORY_LIMIT, (), memory_limit.available_bytes())
            return [*samples(await collector.collect()), limit, *own]

        async def measured(labels: Mapping[str, str]) -> bytes:
            return render(await all_samples(), labels).encode()

        async def rendered() -> bytes:
            return await measured({}) + registry.render()

        if config.push is not None:
            pusher = await stack.enter_async_context(Pusher(config.push, measured, clock))
        await stack.enter_async_context(page.served(config.port, rendered))
        server = MeshServer("process-metrics", run_dir.socket("metrics"), registry=registry)
        server.add(service.register, service.MetricsServicer(collector, pusher, clock), service.NAME)
        await server.start()
        observer = await stack.enter_async_context(MeshObserver(run_dir, clock))
        tasks = await stack.enter_async_context(BackgroundTasks(clock, registry))
        tasks.start("sampling", collector.run)
        tasks.start("verdict", VerdictPublisher(observer, run_dir, config.limits, clock).run)
        if pusher is not None:
            tasks.start("push", pusher.run)
        await server.serve_until_signal()


def push_samples(pusher: Pusher) -> list[Sample]:
    """Return the push's own metrics."""
    return [
        Sample(names.PUSH_TIMESTAMP, (), pusher.last_success_ms / 1000),
        Sample(names.PUSH_FAILURES, (), pusher.failures),
    ]
