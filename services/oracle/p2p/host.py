"""
One node in the peer-to-peer network: it listens, dials, finds addresses, and serves the groups it is part of.

    Host ──┬── server ──accept──▶ knock ──▶ TLS ──▶ Peer.attach
           ├── Peer (each) ── dial task ──▶ knock ──▶ TLS ──▶ attach
           │      └── Connection (the newest) ── read task, write task ⇄ streams of this peer
           ├── DiscoveryAgent ── reconcile task, learn task ⇄ stream "ragedisco/v1" of every peer
           └── OcrEndpoint (each group) ⇄ stream "ocr/<digest>" of every other oracle

A bootstrapper is a host that is no oracle of a group: it speaks discovery with the members and nothing else.
What comes from outside and is wrong is dropped and counted in `counters`, never raised.

Shutdown: `close` stops the server and every handler of an accepted socket first, so that nothing new can be attached,
then the discovery, then each peer with its dialer and its connection, and returns when all of them have ended.
"""

import asyncio
import random
from asyncio import StreamReader, StreamWriter
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from chainlink.keys.peer_id import decode_peer_id, encode_peer_id
from meshkit.clock import Clock, SystemClock
from meshkit.log import get_logger
from meshkit.process.background_tasks import keep_running
from services.oracle.p2p.address import Address
from services.oracle.p2p.discovery.address_book import AddressBook, Group
from services.oracle.p2p.discovery.agent import DiscoveryAgent
from services.oracle.p2p.discovery.announcement import Announcement
from services.oracle.p2p.endpoint import OcrEndpoint
from services.oracle.p2p.errors import HandshakeFailed, KnockRefused, MalformedInput
from services.oracle.p2p.identity import PeerKey
from services.oracle.p2p.peer import HANDSHAKE_TIMEOUT_S, Peer
from services.oracle.p2p.transport.knock import KNOCK_LENGTH, read_knock
from services.oracle.p2p.transport.limits import StreamLimits
from services.oracle.p2p.transport.tls import TlsStream, close_socket, make_context

_MAX_UNKNOWN = 256
_SYSTEM_RANDOM = random.SystemRandom()


class Host:
    """
    Run a node's network.

    Addresses are texts "host:port"; `announce` must be numeric, and is `listen` when empty. `known` are announcements
    of an earlier run; `on_announcements` is called with every newly accepted ones, to be saved.

    Attributes:
        counters: counts by name: connections, accepts_refused, handshakes_failed, dials_failed, announcements_accepted,
            announcements_refused, incoming_over_rate, incoming_dropped, outgoing_dropped, sent_too_long,
            announcements_unsaved, data_of_unknown_stream.
    """

    def __init__(
        self,
        key: PeerKey,
        *,
        listen: Sequence[str],
        announce: Sequence[str] = (),
        delta_dial_s: float = 15.0,
        delta_reconcile_s: float = 60.0,
        clock: Clock | None = None,
        jitter: Callable[[], float] = _SYSTEM_RANDOM.random,
        known: Iterable[Announcement] = (),
        on_announcements: Callable[[tuple[Announcement, ...]], None] | None = None,
    ) -> None:
        self.counters: Counter[str] = Counter()
        self._key = key
        self._listen = [Address.parse(text) for text in listen]
        self._announce = [_numeric(text) for text in announce]
        self._delta_dial_s = delta_dial_s
        self._delta_reconcile_s = delta_reconcile_s
        self._clock = clock or SystemClock()
        self._jitter = jitter
        self._known = tuple(known)
        self._on_announcements = on_announcements
        self._log = get_logger(__name__).bind(own_peer=key.peer_id)
        self._context = make_context(key)
        self._peers: dict[bytes, Peer] = {}
        self._endpoints: dict[bytes, OcrEndpoint | None] = {}
        self._servers: list[asyncio.Server] = []
        self._handlers: set[asyncio.Task[None]] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._discovering: asyncio.Task[None] | None = None

    @property
    def peer_id(self) -> str:
        """Return the own peer id, without prefix."""
        return self._key.peer_id

    @property
    def connected_peers(self) -> tuple[str, ...]:
        """Return the peer ids with a live connection, in their order."""
        return tuple(sorted(encode_peer_id(key) for key, peer in self._peers.items() if peer.is_connected))

    @property
    def addresses(self) -> tuple[str, ...]:
        """Return where the host listens since `start`: with port 0 the port that was found."""
        sockets = [socket.getsockname() for server in self._servers for socket in server.sockets]
        return tuple(str(Address(name[0], name[1])) for name in sockets)

    async def start(self) -> None:
        """
        Listen, and begin to speak discovery.

        Raises:
            OSError: when an address cannot be listened at.
        """
        for address in self._listen:
            self._servers.append(await asyncio.start_server(self._accept, address.host, address.port))
        announced = self._announce or [_numeric(text) for text in self.addresses]
        self._book = AddressBook(self._key, announced, self._known)
        self._discovery = DiscoveryAgent(
            self._book,
            delta_reconcile_s=self._delta_reconcile_s,
            clock=self._clock,
            counters=self.counters,
            on_change=self._learned,
        )
        self._discovering = asyncio.get_running_loop().create_task(
            keep_running("discovery", self._discovery.run, self._clock, on_death=self._note_death)
        )
        self._log.info("p2p_started", addresses=self.addresses)

    def _note_death(self, _error: Exception) -> None:
        self.counters["tasks_died"] += 1

    async def close(self) -> None:
        """Leave the network; return after every task and socket of the host has ended."""
        for server in self._servers:
            server.close()
        tasks = [*self._handlers, *([self._discovering] if self._discovering else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for digest in list(self._endpoints):
            self.unregister_group(digest)
        await asyncio.gather(*self._closing)
        for server in self._servers:
            await server.wait_closed()

    def register_group(
        self,
        config_digest: bytes,
        oracle_peer_ids: Sequence[str],
        bootstrappers: Mapping[str, Sequence[str]],
        limits: StreamLimits,
    ) -> OcrEndpoint | None:
        """
        Join a configuration's group, after `start`; return its endpoint, or None for a host that is no oracle of it.

        `bootstrappers` maps peer ids to addresses, where host names are allowed; `limits` holds for each other oracle.

        Raises:
            InvalidPeerId: on a bad peer id.
            MalformedInput: on a bad address, or a group that is registered already.
        """
        if config_digest in self._endpoints:
            raise MalformedInput("group", config_digest.hex(), "a digest that is not registered")
        oracles = [decode_peer_id(text) for text in oracle_peer_ids]
        located = {decode_peer_id(text): [Address.parse(a) for a in places] for text, places in bootstrappers.items()}
        self._book.add_group(config_digest, Group(frozenset(oracles), located))
        for peer_key in self._book.peers() - self._peers.keys():
            self._add_peer(peer_key)
        endpoint = None
        if self._key.public_key in oracles:
            others = {i: self._peers[k] for i, k in enumerate(oracles) if k != self._key.public_key}
            endpoint = OcrEndpoint(config_digest, others, limits)
        self._endpoints[config_digest] = endpoint
        self._discovery.tell_news()
        return endpoint

    def endpoint(self, config_digest: bytes) -> OcrEndpoint | None:
        """Return the endpoint of a registered group; None when there is none, or no group."""
        return self._endpoints.get(config_digest)

    def unregister_group(self, config_digest: bytes) -> None:
        """Leave a group; peers that no other group needs are disconnected. Unknown digests are ignored."""
        endpoint = self._endpoints.pop(config_digest, None)
        if endpoint is not None:
            endpoint.close()
        self._book.remove_group(config_digest)
        for peer_key in self._peers.keys() - self._book.peers():
            peer = self._peers.pop(peer_key)
            self._discovery.remove(peer)
            task = asyncio.get_running_loop().create_task(peer.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    def _add_peer(self, peer_key: bytes) -> None:
        peer = Peer(
            self._key,
            peer_key,
            context=self._context,
            addresses=lambda: self._book.addresses(peer_key),
            dials_first=lambda: self._book.dials_first(peer_key),
            delta_dial_s=self._delta_dial_s,
            clock=self._clock,
            jitter=self._jitter,
            counters=self.counters,
        )
        self._peers[peer_key] = peer
        self._discovery.add(peer)

    def _learned(self, announcements: tuple[Announcement, ...]) -> None:
        for announcement in announcements:
            peer = self._peers.get(announcement.public_key)
            if peer is not None and not peer.is_connected:
                peer.dial_now()
        if self._on_announcements is not None and announcements:
            try:
                self._on_announcements(announcements)
            except Exception:
                # Saving is a convenience; discovery must outlive its failure.
                self.counters["announcements_unsaved"] += 1
                self._log.exception("announcements_unsaved")

    async def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        attached = False
        self._handlers.add(task)
        try:
            if len(self._handlers) > _MAX_UNKNOWN:
                raise KnockRefused("too many connections that are nobody's yet")
            attached = await self._welcome(reader, writer)
        except (KnockRefused, asyncio.IncompleteReadError) as error:
            self.counters["accepts_refused"] += 1
            self._log.debug("accept_refused", reason=str(error))
        except (HandshakeFailed, OSError, TimeoutError) as error:
            self.counters["handshakes_failed"] += 1
            self._log.debug("handshake_failed", reason=f"{type(error).__name__}: {error}")
        finally:
            if not attached:
                await close_socket(writer)
            self._handlers.discard(task)

    async def _welcome(self, reader: StreamReader, writer: StreamWriter) -> bool:
        async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
            dialer = read_knock(await reader.readexactly(KNOCK_LENGTH), self._key.public_key)
        peer = self._peers.get(dialer)
        if peer is None:
            raise KnockRefused("a peer of no group")
        if not peer.may_accept():
            raise KnockRefused("a peer that connects too often")
        await peer.accept(TlsStream(self._context, reader, writer, server=True))
        return True


def _numeric(text: str) -> Address:
    address = Address.parse(text)
    if not address.is_numeric:
        raise MalformedInput("announce address", text, "a numeric IPv4 or IPv6 host")
    if address.is_unspecified:
        raise MalformedInput("announce address", text, "an address that others can dial")
    return address
