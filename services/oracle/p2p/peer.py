"""One remote peer: its streams, and the newest connection that carries them."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

from OpenSSL import SSL

from chainlink.keys.peer_id import encode_peer_id
from meshkit.clock import Clock
from meshkit.log import get_logger
from meshkit.process.background_tasks import keep_running
from services.oracle.p2p.address import Address
from services.oracle.p2p.errors import HandshakeFailed, KnockRefused
from services.oracle.p2p.identity import PeerKey
from services.oracle.p2p.transport.connection import Connection
from services.oracle.p2p.transport.knock import make_knock
from services.oracle.p2p.transport.limits import TOKENS_PER_CONNECTION, StreamLimits, TokenBucket, connection_limits
from services.oracle.p2p.transport.streams import Stream
from services.oracle.p2p.transport.tls import TlsStream, close_socket

HANDSHAKE_TIMEOUT_S = 5.0
_ACCEPT_BURST = 4


class Peer:
    """
    Keep one remote peer connected while it has streams.

    `addresses` returns the places to dial, best first. `dials_first` tells whether this end dials at once; else it
    waits a turn, in which the other one should have dialed. `jitter` returns a random number in [0, 1).
    """

    def __init__(
        self,
        key: PeerKey,
        peer_key: bytes,
        *,
        context: SSL.Context,
        addresses: Callable[[], Sequence[Address]],
        dials_first: Callable[[], bool],
        delta_dial_s: float,
        clock: Clock,
        jitter: Callable[[], float],
        counters: Counter[str],
    ) -> None:
        self.peer_key = peer_key
        self._key = key
        self._context = context
        self._addresses = addresses
        self._dials_first = dials_first
        self._delta_dial_s = delta_dial_s
        self._clock = clock
        self._jitter = jitter
        self._counters = counters
        self._log = get_logger(__name__).bind(peer=encode_peer_id(peer_key))
        self._streams: dict[bytes, Stream] = {}
        self._connection: Connection | None = None
        self._carrier: asyncio.Task[None] | None = None
        now_s = clock.monotonic()
        self._raw_bytes = TokenBucket(*connection_limits(()), now_s)
        self._accepts = TokenBucket(max(0.5, 2 / delta_dial_s), _ACCEPT_BURST, now_s)
        self._attaching = asyncio.Lock()
        self._connecting = asyncio.Lock()
        self._redial = asyncio.Event()
        self._accepting = 0
        self._crossed_until_s = float("-inf")
        self._is_closed = False
        self._dialer = asyncio.get_running_loop().create_task(
            keep_running("dialing", self._dial_forever, clock, on_death=self._note_death)
        )

    @property
    def is_connected(self) -> bool:
        """Tell whether there is an authenticated connection."""
        return self._connection is not None

    @property
    def has_streams(self) -> bool:
        """Tell whether anything needs this peer."""
        return bool(self._streams)

    def open(self, name: str, limits: StreamLimits, arrived: asyncio.Event) -> Stream:
        """Add a stream; `arrived` is set for every message that comes in."""
        stream = Stream(
            self._key.public_key,
            self.peer_key,
            name,
            limits,
            now_s=self._clock.monotonic(),
            arrived=arrived,
            on_outgoing=self._wake,
            counters=self._counters,
        )
        self._streams[stream.id] = stream
        self._resize()
        if self._connection is not None:
            self._connection.announce(stream)
        return stream

    def close_stream(self, stream: Stream) -> None:
        """Remove a stream."""
        if self._streams.pop(stream.id, None) is not None and self._connection is not None:
            self._connection.retract(stream)
        self._resize()

    def may_accept(self) -> bool:
        """Tell whether the peer may connect once more now."""
        return self._accepts.take(1, self._clock.monotonic())

    async def accept(self, tls: TlsStream) -> None:
        """
        Shake hands with the peer that knocked, and carry the streams over its connection.

        Of two dials that cross each other, the one of the end that dials first is kept: that end waits for its own
        dial's outcome, and refuses the other's when it got through. Else each end might keep another one, and close
        the other's.

        Raises:
            KnockRefused: when a dial from here got through meanwhile, or within the time of a handshake before.
            HandshakeFailed: when TLS fails or the other end has another key.
            TimeoutError: when the other end takes too long.
        """
        self._accepting += 1
        try:
            if not self._dials_first():
                await self._shake_and_attach(tls)
                return
            async with self._connecting:
                if self._connection is not None and self._clock.monotonic() < self._crossed_until_s:
                    raise KnockRefused("a peer that a dial from here has just reached")
                await self._shake_and_attach(tls)
        finally:
            self._accepting -= 1

    def dial_now(self) -> None:
        """Dial without waiting for the next turn, because there is something new to dial."""
        self._redial.set()

    async def attach(self, tls: TlsStream) -> None:
        """Carry the streams over a new authenticated connection; the one before it is closed."""
        async with self._attaching:
            await self._detach()
            self._raw_bytes.add(TOKENS_PER_CONNECTION, self._clock.monotonic())
            self._connection = Connection(
                tls,
                self._key.public_key,
                self.peer_key,
                self._streams,
                raw_bytes=self._raw_bytes,
                clock=self._clock,
                counters=self._counters,
            )
            self._counters["connections"] += 1
            self._log.info("peer_connected")
            self._carrier = asyncio.get_running_loop().create_task(self._carry(self._connection))

    async def close(self) -> None:
        """Stop dialing, and close the connection."""
        self._is_closed = True
        self._dialer.cancel()
        await asyncio.gather(self._dialer, return_exceptions=True)
        await self._detach()

    def _note_death(self, _error: Exception) -> None:
        self._counters["tasks_died"] += 1

    async def _carry(self, connection: Connection) -> None:
        reason = "replaced or closed here"
        try:
            reason = await connection.run()
        finally:
            self._log.info("peer_disconnected", reason=reason)
            if self._connection is connection:
                self._connection = None

    async def _detach(self) -> None:
        carrier, connection = self._carrier, self._connection
        self._carrier = self._connection = None
        if carrier is not None:
            carrier.cancel()
            await asyncio.gather(carrier, return_exceptions=True)
        if connection is not None:
            # A task that is cancelled before its first step never reaches its own clean-up.
            await connection.close()

    def _wake(self, stream: Stream) -> None:
        if self._connection is not None:
            self._connection.wake(stream)

    def _resize(self) -> None:
        limits = connection_limits(stream.limits for stream in self._streams.values())
        self._raw_bytes.resize(*limits, self._clock.monotonic())

    async def _dial_forever(self) -> None:
        turn = 0
        while True:
            if not self._dials_first():
                await asyncio.sleep(self._turn_s())
            addresses = self._addresses()
            async with self._connecting:
                if addresses and self._streams and self._connection is None and not self._accepting:
                    await self._dial(addresses[turn % len(addresses)])
                    turn += 1
            self._redial.clear()
            try:
                async with asyncio.timeout(self._turn_s()):
                    await self._redial.wait()
            except TimeoutError:
                continue

    def _turn_s(self) -> float:
        return self._delta_dial_s * (1 + self._jitter())

    async def _shake_and_attach(self, tls: TlsStream) -> None:
        async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
            await tls.handshake(self.peer_key)
        if self._is_closed:
            raise HandshakeFailed("the peer left all groups meanwhile")
        await self.attach(tls)

    async def _dial(self, address: Address) -> None:
        writer = None
        try:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
                reader, writer = await asyncio.open_connection(address.host, address.port)
            writer.write(make_knock(self._key, self.peer_key))
            await self._shake_and_attach(TlsStream(self._context, reader, writer, server=False))
            self._crossed_until_s = self._clock.monotonic() + HANDSHAKE_TIMEOUT_S
            # From here on the connection's own task closes the socket.
            writer = None
        except (OSError, TimeoutError, UnicodeError, HandshakeFailed) as error:
            self._counters["dials_failed"] += 1
            self._log.debug("dial_failed", address=str(address), error=f"{type(error).__name__}: {error}")
        finally:
            if writer is not None:
                await close_socket(writer)
