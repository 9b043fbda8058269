"""What is pushed: the process metrics at each push, and the pages of the other processes when they were gathered."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Final, Self

import aiohttp

from meshkit.clock import Clock
from meshkit.egress.connector import EgressConnector
from meshkit.metrics import Registry
from meshkit.paths import RunDir
from meshkit.push import exposition
from meshkit.push import metrics as push_metrics
from meshkit.push.config import PushConfig
from meshkit.push.metrics import PUSH_METRICS
from meshkit.push.page import Page
from meshkit.push.pusher import Pusher
from services.metrics.config import MetricsConfig
from services.metrics.gathering.gatherer import GATHERING_METRICS, Gatherer
from services.metrics.gathering.target import HttpTarget, SocketTarget, Target, Wanted

PUSHING_METRICS: Final = (*PUSH_METRICS, *GATHERING_METRICS)
_AGGREGATOR: Final = "price-aggregator"
# Services without a page of HTTP, by the names of their sockets.
_SOCKETS: Final = ("supervisor", "dbinit", "operator")


class Pushing:
    """
    Join gatherer and pusher.

    `own_page` renders the process metrics, those of the push among them.
    """

    def __init__(
        self,
        config: MetricsConfig,
        receiver: PushConfig,
        run_dir: RunDir,
        own_page: Callable[[], Awaitable[bytes]],
        clock: Clock,
        registry: Registry,
    ) -> None:
        self._own_page = own_page
        self._stack = AsyncExitStack()
        # Nothing but this host is asked for a page.
        self._session = aiohttp.ClientSession(connector=EgressConnector(frozenset()), headers={"Accept": "text/plain"})
        of_nodes = Wanted(exposition.allowed(config.node_metrics), config.node_samples)
        targets: list[Target] = [
            HttpTarget(name, url, self._session, None if name == _AGGREGATOR else of_nodes)
            for name, url in config.pages.items()
        ]
        targets += [SocketTarget(name, run_dir.socket(name)) for name in _SOCKETS]
        self.gatherer = Gatherer(targets, config.gather_ms / 1000, clock, registry)
        self.pusher = Pusher(receiver, self._pages, clock)
        self._taken = 0
        push_metrics.show(registry, self.pusher, clock.time_ms)

    async def _pages(self) -> Sequence[Page]:
        if self.pusher.successes > self._taken:
            self._taken = self.pusher.successes
            self.gatherer.taken()
        return [Page(await self._own_page()), *self.gatherer.offer()]

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._session)
        await self._stack.enter_async_context(self.pusher)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()
