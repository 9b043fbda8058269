"""
The newest block of a chain: pushed over a WebSocket where an endpoint has one, asked for at an interval otherwise.

    HeadTracker.run ─┬─ poll task ── eth_blockNumber, each interval without a push, else now and then
                     ├─ listen task ── subscription of the best endpoint with a WebSocket, again after each end
                     └─ watch task ── every endpoint's chain and head, for the fail-over
"""

import asyncio
from contextlib import aclosing

import aiohttp

from chainlink.rpc.client import RpcClient
from chainlink.rpc.endpoints import Standing
from chainlink.rpc.errors import ChainError, RpcUnavailable
from chainlink.rpc.subscription import FAILURES, new_heads
from meshkit import log
from meshkit.clock import Clock

_log = log.get_logger(__name__)
# A subscription is made again at once when it ended, and later and later where it pushes nothing.
_LISTEN_AGAIN_S, _LISTEN_AGAIN_LATEST_S = 1.0, 60.0
# While heads are pushed, every so many intervals one is asked for.
_CHECK_EVERY = 10
# A head under the known one is asked for again so often: behind one URL there may be a node that is behind the others.
_DOUBTS = 6


class HeadTracker:
    """
    Follow the head.

    Attributes:
        latest: The number of the newest block; 0 before the first.
        connected: Whether the last question was answered, or heads are pushed.
        listening_to: The name of the endpoint that pushes heads now; empty when none does.
        rewinds: How often the head fell behind itself, as when a dev chain starts from an older snapshot.
    """

    def __init__(
        self,
        rpc: RpcClient,
        clock: Clock,
        interval_s: float,
        *,
        session: aiohttp.ClientSession | None = None,
        watch_s: float = 10.0,
        sync_threshold: int = 5,
    ) -> None:
        self._rpc = rpc
        self._clock = clock
        self._interval_s = interval_s
        self._session = session
        self._watch_s = watch_s
        self._sync_threshold = sync_threshold
        self._news = asyncio.Event()
        self._source: int | None = None
        self._leave = asyncio.Event()
        self._listened = self._pushed = 0
        self._pushed_s: float | None = None
        self._told: dict[str, str] = {}
        self.latest = 0
        self.connected = False
        self.listening_to = ""
        self.rewinds = 0

    async def run(self) -> None:
        """Follow until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._poll())
            tasks.create_task(self._watch())
            if self._session is not None and any(endpoint.ws_url for endpoint in self._rpc.book.endpoints):
                tasks.create_task(self._listen(self._session))

    async def news(self) -> None:
        """Return at the next change of the head."""
        await self._news.wait()

    def known_before(self, block: int) -> None:
        """Note a block that an earlier run knew: a head under it is that of an endpoint behind, or of a new chain."""
        self.latest = max(self.latest, block)

    async def poll(self) -> int:
        """Ask once, again where the answer is behind; return the newest number known, even if there was no answer."""
        try:
            head = await self._rpc.number("eth_blockNumber")
            for _ in range(_DOUBTS):
                if head >= self.latest:
                    break
                head = max(head, await self._rpc.number("eth_blockNumber"))
        except (RpcUnavailable, ChainError) as error:
            if self.connected or self.latest == 0:
                _log.warning("head_unknown", error=str(error))
            self.connected = False
            return self.latest
        self._take(head, self._rpc.book.current)
        return self.latest

    def _take(self, head: int, source: int) -> None:
        if not self.connected:
            _log.info("head_known", block=head)
        self.connected = True
        # Endpoints are a block apart now and then; only an endpoint that takes a block back has rewound the chain.
        rewound = head < self.latest and (source == self._source or head < self.latest - self._sync_threshold)
        if head < self.latest and not rewound:
            return
        if rewound:
            self.rewinds += 1
            _log.warning("chain_rewound", block=head, before=self.latest)
        changed = head != self.latest
        self.latest, self._source = head, source
        if changed:
            news, self._news = self._news, asyncio.Event()
            news.set()

    async def _poll(self) -> None:
        turns, missed = 0, False
        while True:
            turns += 1
            if turns % _CHECK_EVERY == 0 or not self._is_pushed_now():
                head = await self.poll()
                # What is known by asking must have been pushed an interval later, else the pusher is left.
                behind = bool(self.listening_to) and self._pushed < head
                if behind and missed:
                    self._leave.set()
                missed = behind
            await self._clock.sleep(self._interval_s)

    def _is_pushed_now(self) -> bool:
        """Tell whether a head was pushed within the last interval."""
        if not self.listening_to or self._pushed_s is None:
            return False
        return self._clock.monotonic() - self._pushed_s <= self._interval_s

    async def _watch(self) -> None:
        while True:
            await self._rpc.inspect()
            if self.listening_to and self._listened not in self._with_sockets():
                self._leave.set()
            await self._clock.sleep(self._watch_s)

    def _with_sockets(self) -> list[int]:
        """Return the good endpoints with a WebSocket, of those with the best order only."""
        book = self._rpc.book
        good = [i for i in book.for_reading() if book.endpoints[i].ws_url and book.standing(i) is Standing.GOOD]
        return [i for i in good if book.endpoints[i].order == book.endpoints[good[0]].order]

    async def _listen(self, session: aiohttp.ClientSession) -> None:
        wait_s = _LISTEN_AGAIN_S
        while True:
            heard = False
            for index in self._with_sockets():
                self._leave.clear()
                self._listened, self._pushed, self._pushed_s = index, 0, None
                hearing = asyncio.ensure_future(self._hear(session, index))
                leaving = asyncio.ensure_future(self._leave.wait())
                try:
                    await asyncio.wait({hearing, leaving}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    self.listening_to = ""
                    for task in (hearing, leaving):
                        task.cancel()
                    ended, _ = await asyncio.gather(hearing, leaving, return_exceptions=True)
                heard = heard or self._pushed_s is not None
                if isinstance(ended, Exception):
                    # A defect in listening must not end the node: the head is asked for meanwhile.
                    _log.error("listening_failed", exc_info=ended)
            wait_s = _LISTEN_AGAIN_S if heard else min(2 * wait_s, _LISTEN_AGAIN_LATEST_S)
            await self._clock.sleep(wait_s)

    async def _hear(self, session: aiohttp.ClientSession, index: int) -> None:
        endpoint = self._rpc.book.endpoints[index]
        if endpoint.ws_url is None:
            return
        ended = "it pushed nothing"
        try:
            async with aclosing(new_heads(session, endpoint.ws_url, self._rpc.chain_id)) as heads:
                # The first number is the answer to a question, not a push.
                self.listening_to, self._pushed = endpoint.name, await anext(heads)
                await self._heard(self._pushed, index)
                async for head in heads:
                    self._tell(endpoint.name, "")
                    self._pushed, self._pushed_s = head, self._clock.monotonic()
                    await self._heard(head, index)
        except ChainError as error:
            ended = str(error)
        except FAILURES as error:
            # The text of a client's error may hold the whole URL, and a provider's URL the access key.
            ended = type(error).__name__
        if self._pushed_s is None:
            self._tell(endpoint.name, ended)
        else:
            # Many providers end a connection after a while; it is made again.
            _log.debug("subscription_ended", endpoint=endpoint.name)

    async def _heard(self, head: int, index: int) -> None:
        if head < self.latest:
            # A node behind the others, or a chain that went back: that is found out by asking.
            await self.poll()
        else:
            self._take(head, index)

    def _tell(self, endpoint: str, trouble: str) -> None:
        """Log when an endpoint begins to push heads, and what keeps it from it when that changes."""
        if self._told.get(endpoint) == trouble:
            return
        self._told[endpoint] = trouble
        if trouble:
            _log.warning("heads_not_pushed", endpoint=endpoint, error=trouble)
        else:
            _log.info("heads_pushed", endpoint=endpoint)
