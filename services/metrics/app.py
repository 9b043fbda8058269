"""Join the parts: one collector feeds the page, the gRPC service and the push, which has other processes' pages too."""

from contextlib import AsyncExitStack
from functools import partial

from meshkit.clock import Clock
from meshkit.metrics import RPC_METRICS, Registry
from meshkit.paths import RunDir
from meshkit.process import memory_limit
from meshkit.process.background_tasks import TASK_METRICS, BackgroundTasks
from meshkit.rpc.server import MeshServer
from services.metrics import names, service
from services.metrics.collector import Collector
from services.metrics.config import MetricsConfig
from services.metrics.exposition import Sample, render
from services.metrics.families import samples
from services.metrics.host import disk_metrics, processes
from services.metrics.host.disk_metrics import DISK_METRICS
from services.metrics.page import server as page
from services.metrics.page.content.seen import MeshSeen
from services.metrics.page.live.audience import Audience
from services.metrics.page.live.following import Following
from services.metrics.page.status_page import StatusPage
from services.metrics.supervisor import SupervisorLink
from services.metrics.verdict.feed_metrics import FEED_METRICS, FeedMetrics
from services.metrics.verdict.observer import MeshObserver
from services.metrics.verdict.publisher import VerdictPublisher
from services.metrics.verdict.verdict import Observation


async def serve(config: MetricsConfig, run_dir: RunDir, clock: Clock) -> None:
    """
    Serve until SIGTERM or SIGINT.

        SupervisorLink ─┐
        process table  ─┴─▶ Collector ◀── sampling task (keeps the CPU windows short)
                                │
              ┌─────────────────┼──────────────────┐
              ▼                 ▼                  ▼
        HTTP /metrics     metrics.sock      push task (if configured) ◀── Gatherer ◀── pages of all processes

        MeshObserver ──▶ VerdictPublisher ──▶ FeedMetrics, MeshSeen ──▶ HTTP / and /events, for people
                                                              ▲ Following, while somebody looks (Audience)

    The tasks run for ever; they are cancelled once the servers have stopped.
    """
    table = [*RPC_METRICS, *TASK_METRICS, *DISK_METRICS, *FEED_METRICS]
    if config.push is not None:
        # Few meshes push, and what does so takes a quarter of the time to load.
        from services.metrics.gathering.pushing import PUSHING_METRICS, Pushing

        table += PUSHING_METRICS
    registry = Registry(table)
    disk_metrics.show(registry, config.data_dir)
    feed_metrics = FeedMetrics(config.limits, registry)
    async with AsyncExitStack() as stack:
        link = await stack.enter_async_context(SupervisorLink(run_dir.socket("supervisor")))
        collector = Collector(link.plan, processes.read, clock)

        async def rendered() -> bytes:
            limit = Sample(names.MEMORY_LIMIT, (), memory_limit.available_bytes())
            return render([*samples(await collector.collect()), limit]).encode() + registry.render()

        pushing = None
        if config.push is not None:
            pushing = await stack.enter_async_context(Pushing(config, config.push, run_dir, rendered, clock, registry))
        seen, audience = MeshSeen(config.limits), Audience(clock)
        status_page = StatusPage(seen, audience, run_dir.path, clock)
        await stack.enter_async_context(page.served(config.port, rendered, status_page))
        server = MeshServer("process-metrics", run_dir.socket("metrics"), registry=registry)
        pusher = None if pushing is None else pushing.pusher
        server.add(service.register, service.MetricsServicer(collector, pusher, clock), service.NAME)
        await server.start()
        observer = await stack.enter_async_context(
            MeshObserver(run_dir, clock, config.feeds, oracles=config.limits.oracles)
        )
        following = await stack.enter_async_context(
            Following(run_dir, sorted(config.limits.oracles), seen, audience, clock)
        )

        def note(observation: Observation, watched_s: float) -> None:
            feed_metrics.note(observation, watched_s)
            if observer.heard is not None:
                seen.note(observer.heard, observation, watched_s, clock.time_ms() / 1000)

        tasks = await stack.enter_async_context(BackgroundTasks(clock, registry))
        tasks.start("sampling", collector.run)
        tasks.start("verdict", VerdictPublisher(observer, run_dir, config.limits, clock, note, seen.judged).run)
        tasks.start("page", partial(audience.run, (following.services, following.rounds, following.ways)))
        if pushing is not None:
            tasks.start("gathering", pushing.gatherer.run)
            tasks.start("push", pushing.pusher.run)
        await server.serve_until_signal()
        if pushing is not None:
            await pushing.pusher.finish()
