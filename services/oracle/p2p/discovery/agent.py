"""Speak discovery with every peer: tell them the address book, learn theirs."""

import asyncio
from collections import Counter
from collections.abc import Callable

from chainlink.keys.peer_id import encode_peer_id
from meshkit.clock import Clock
from meshkit.log import get_logger
from services.oracle.p2p.discovery.address_book import AddressBook
from services.oracle.p2p.discovery.announcement import Announcement
from services.oracle.p2p.errors import AnnouncementRefused
from services.oracle.p2p.peer import Peer
from services.oracle.p2p.transport.limits import StreamLimits, TokenBucket
from services.oracle.p2p.transport.streams import Stream

STREAM_NAME = "ragedisco/v1"
_MAX_LENGTH = 110_000
# Each message has the whole book: an older one that still waits says nothing more.
_BUFFERED = 1
# Many come at once when a group forms: what they bring is told together, and the next of it a while later.
_NEWS_GATHERS_S = 0.25
_NEWS_APART_S = 1.0
_NEWS_AT_ONCE = 2


def discovery_limits(delta_reconcile_s: float) -> StreamLimits:
    """Return the limits of a discovery stream: two messages an interval, four at once."""
    rate, capacity = 2 / delta_reconcile_s, 4
    return StreamLimits(_MAX_LENGTH, rate, capacity, rate * _MAX_LENGTH, capacity * _MAX_LENGTH, _BUFFERED)


class DiscoveryAgent:
    """
    Keep the discovery streams of all peers.

    Each peer gets the whole book every `delta_reconcile_s`, and once more soon after something in it is new, within
    what the peer takes. `on_change` is called after the book changed, with what was learned.
    """

    def __init__(
        self,
        book: AddressBook,
        *,
        delta_reconcile_s: float,
        clock: Clock,
        counters: Counter[str],
        on_change: Callable[[tuple[Announcement, ...]], None],
    ) -> None:
        self._book = book
        self._delta_reconcile_s = delta_reconcile_s
        self._clock = clock
        self._counters = counters
        self._on_change = on_change
        self._log = get_logger(__name__)
        self._arrived = asyncio.Event()
        self._news = asyncio.Event()
        self._peers: dict[bytes, Peer] = {}
        self._streams: dict[bytes, Stream] = {}
        self._extra: dict[bytes, TokenBucket] = {}

    def add(self, peer: Peer) -> None:
        """Open the stream to a peer."""
        limits = discovery_limits(self._delta_reconcile_s)
        self._peers[peer.peer_key] = peer
        self._streams[peer.peer_key] = peer.open(STREAM_NAME, limits, self._arrived)
        # A new connection brings the waiting message, two with news and a regular one at the same moment: the four
        # that a peer takes at once. The regular ones need half of what it takes later.
        now_s = self._clock.monotonic()
        self._extra[peer.peer_key] = TokenBucket(0.5 / self._delta_reconcile_s, _NEWS_AT_ONCE, now_s)

    def remove(self, peer: Peer) -> None:
        """Close the stream to a peer."""
        stream = self._streams.pop(peer.peer_key, None)
        self._peers.pop(peer.peer_key, None)
        self._extra.pop(peer.peer_key, None)
        if stream is not None:
            peer.close_stream(stream)

    def tell_news(self) -> None:
        """Have the book sent soon to every connected peer that takes one more message then."""
        self._news.set()

    async def run(self) -> None:
        """Reconcile, learn and tell until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._reconcile())
            tasks.create_task(self._tell())
            tasks.create_task(self._learn())

    async def _reconcile(self) -> None:
        while True:
            for peer_key in list(self._streams):
                self._send(peer_key)
            await self._clock.sleep(self._delta_reconcile_s)

    async def _tell(self) -> None:
        while True:
            await self._news.wait()
            await self._clock.sleep(_NEWS_GATHERS_S)
            self._news.clear()
            now_s = self._clock.monotonic()
            for peer_key, peer in list(self._peers.items()):
                if peer.is_connected and self._extra[peer_key].take(1, now_s):
                    self._send(peer_key)
            await self._clock.sleep(_NEWS_APART_S)

    async def _learn(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            for peer_key, stream in list(self._streams.items()):
                self._take(peer_key, stream.incoming)

    def _take(self, peer_key: bytes, incoming: list[bytes]) -> None:
        while incoming:
            try:
                learned = self._book.learn(incoming.pop(0))
            except AnnouncementRefused as error:
                self._refuse(peer_key, str(error))
                continue
            for reason in learned.refused:
                self._refuse(peer_key, reason)
            if learned.accepted or learned.renewed:
                self._counters["announcements_accepted"] += len(learned.accepted)
                self._on_change(learned.accepted)
                self.tell_news()

    def _send(self, peer_key: bytes) -> None:
        message = self._book.message_for(peer_key)
        if message is not None:
            self._streams[peer_key].send(message)

    def _refuse(self, peer_key: bytes, reason: str) -> None:
        self._counters["announcements_refused"] += 1
        self._log.debug("announcement_refused", peer=encode_peer_id(peer_key), reason=reason)
