"""One remote peer: dialing it, taking its connections, and carrying its streams over the newest."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from meshkit.clock import ManualClock
from services.oracle.p2p.address import Address
from services.oracle.p2p.errors import ConnectionEnded, HandshakeFailed, KnockRefused
from services.oracle.p2p.identity import PeerKey
from services.oracle.p2p.peer import Peer
from services.oracle.p2p.transport.frames import Frame, FrameParser, FrameType
from services.oracle.p2p.transport.knock import KNOCK_LENGTH, read_knock
from services.oracle.p2p.transport.limits import StreamLimits
from services.oracle.p2p.transport.tls import TlsStream, close_socket, make_context
from tests.oracle.p2p.transport.loopback import DIALER, LISTENER, STRANGER, shaken, unshaken
from tests.waiting import until

LIMITS = StreamLimits(1_000, 1_000.0, 1_000, 1_000_000.0, 1_000_000)
_DELTA_DIAL_S = 0.05


class Listener:
    """Listen as the peer LISTENER does, and keep what comes."""

    def __init__(self, key: PeerKey = LISTENER) -> None:
        self._key = key
        self.knocks: list[bytes] = []
        self.connections: asyncio.Queue[TlsStream] = asyncio.Queue()
        self._writers: list[asyncio.StreamWriter] = []

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a knock and shake hands."""
        self._writers.append(writer)
        self.knocks.append(await reader.readexactly(KNOCK_LENGTH))
        tls = TlsStream(make_context(self._key), reader, writer, server=True)
        try:
            await tls.handshake(DIALER.public_key)
        except HandshakeFailed:
            return
        self.connections.put_nowait(tls)

    async def close(self) -> None:
        """Close whatever came."""
        for writer in self._writers:
            await close_socket(writer)


@asynccontextmanager
async def listening(listener: Listener) -> AsyncIterator[Address]:
    """Give the address of a listener."""
    server = await asyncio.start_server(listener.accept, "127.0.0.1", 0)
    try:
        host, port = server.sockets[0].getsockname()
        yield Address(host, port)
    finally:
        server.close()
        await listener.close()


@asynccontextmanager
async def dialing(
    *places: Address, key: PeerKey = LISTENER, dials_first: bool = True
) -> AsyncIterator[tuple[Peer, "Counter[str]"]]:
    """Give a peer that is dialed at these places, and its counters."""
    counters: Counter[str] = Counter()
    peer = Peer(
        DIALER,
        key.public_key,
        context=make_context(DIALER),
        addresses=lambda: places,
        dials_first=lambda: dials_first,
        delta_dial_s=_DELTA_DIAL_S,
        clock=ManualClock(),
        jitter=lambda: 0.0,
        counters=counters,
    )
    try:
        yield peer, counters
    finally:
        await peer.close()


async def _frame(tls: TlsStream, kind: FrameType) -> Frame:
    """Return the first frame of a kind that comes."""
    parser = FrameParser(lambda _: 1_000_000)
    while True:
        for frame in parser.feed((await tls.read())[0]):
            if frame.type is kind:
                return frame


async def test_a_peer_with_streams_is_dialed() -> None:
    """A peer is dialed once something needs it, with a knock at its own listener, and carries the stream."""
    listener, arrived = Listener(), asyncio.Event()
    async with listening(listener) as address, dialing(address) as (peer, counters):
        assert not peer.has_streams
        stream = peer.open("a", LIMITS, arrived)
        peer.dial_now()
        tls = await listener.connections.get()
        assert DIALER.public_key == read_knock(listener.knocks[0], LISTENER.public_key)

        opened = await _frame(tls, FrameType.OPEN)
        assert (stream.id, b"a") == (opened.stream_id, opened.payload)
        await tls.write(opened.encode() + Frame(FrameType.DATA, stream.id, b"in").encode())
        await arrived.wait()
        assert [b"in"] == stream.incoming
        stream.send(b"out")
        assert b"out" == (await _frame(tls, FrameType.DATA)).payload
        assert peer.is_connected
        assert 1 == counters["connections"]


async def test_a_peer_that_nothing_needs_is_not_dialed() -> None:
    """Without streams nobody is dialed, however often it is asked for."""
    listener = Listener()
    async with listening(listener) as address, dialing(address) as (peer, counters):
        stream = peer.open("a", LIMITS, asyncio.Event())
        peer.close_stream(stream)
        for _ in range(5):
            peer.dial_now()
            await asyncio.sleep(0)

        assert [] == listener.knocks
        assert 0 == counters["dials_failed"]


async def test_places_are_tried_in_turn() -> None:
    """After a place where nobody listens, and one where somebody else does, the right one is found."""
    wrong, right = Listener(STRANGER), Listener()
    async with AsyncExitStack() as stack:
        elsewhere = await stack.enter_async_context(listening(wrong))
        address = await stack.enter_async_context(listening(right))
        closed = await asyncio.start_server(right.accept, "127.0.0.1", 0)
        nobody = Address(*closed.sockets[0].getsockname())
        closed.close()
        await closed.wait_closed()
        peer, counters = await stack.enter_async_context(dialing(nobody, elsewhere, address))
        peer.open("a", LIMITS, asyncio.Event())
        peer.dial_now()
        await right.connections.get()
        await until(lambda: peer.is_connected, "the peer is connected")

        assert 2 == counters["dials_failed"]
        assert [DIALER.public_key] == [read_knock(knock, LISTENER.public_key) for knock in wrong.knocks]


async def test_a_name_that_is_none_costs_only_a_dial() -> None:
    """A place that cannot even be looked up is a failed dial, and the next is tried."""
    listener = Listener()
    async with listening(listener) as address, dialing(Address("x" * 80, 1), address) as (peer, counters):
        peer.open("a", LIMITS, asyncio.Event())
        peer.dial_now()
        await listener.connections.get()

        assert 1 == counters["dials_failed"]


async def test_a_lost_peer_is_dialed_again() -> None:
    """When the connection ends, the peer is dialed again and its streams are announced again."""
    listener = Listener()
    async with listening(listener) as address, dialing(address) as (peer, counters):
        peer.open("a", LIMITS, asyncio.Event())
        for number in range(1, 4):
            tls = await listener.connections.get()
            assert b"a" == (await _frame(tls, FrameType.OPEN)).payload
            assert number == counters["connections"]
            await tls.close()


async def test_the_newest_connection_carries() -> None:
    """A connection that comes in takes the place of the one before, which is closed; what waits goes over it."""
    async with dialing() as (peer, counters), shaken() as (first_far, first), shaken() as (second_far, second):
        stream = peer.open("a", LIMITS, asyncio.Event())
        await peer.attach(first)
        await _frame(first_far, FrameType.OPEN)
        stream.send(b"waits")
        await peer.attach(second)
        opened = await _frame(second_far, FrameType.OPEN)
        await second_far.write(opened.encode())

        assert b"waits" == (await _frame(second_far, FrameType.DATA)).payload
        assert peer.is_connected
        assert 2 == counters["connections"]
        with pytest.raises(ConnectionEnded, match="closed the socket"):
            await _frame(first_far, FrameType.DATA)


async def test_streams_come_and_go_on_a_connection() -> None:
    """A stream that is opened while connected is announced at once, one that is closed is retracted."""
    async with dialing() as (peer, _), shaken() as (far, near):
        await peer.attach(near)
        stream = peer.open("late", LIMITS, asyncio.Event())
        assert b"late" == (await _frame(far, FrameType.OPEN)).payload
        peer.close_stream(stream)
        peer.close_stream(stream)

        assert stream.id == (await _frame(far, FrameType.CLOSE)).stream_id
        assert not peer.has_streams


async def test_a_peer_may_not_connect_without_end() -> None:
    """A few connections are taken at once; then one more each half turn of dialing, by the node's own clock."""
    clock = ManualClock()
    peer = Peer(
        DIALER,
        LISTENER.public_key,
        context=make_context(DIALER),
        addresses=list,
        dials_first=lambda: True,
        delta_dial_s=2.0,
        clock=clock,
        jitter=lambda: 0.0,
        counters=Counter(),
    )
    assert [True] * 4 + [False] * 3 == [peer.may_accept() for _ in range(7)]
    clock.advance(1.0)
    assert [True, False] == [peer.may_accept() for _ in range(2)]
    await peer.close()


async def test_closing_ends_everything() -> None:
    """A closed peer has no connection and dials no more, also when it closes with one that never ran."""
    async with shaken() as (far, near):
        async with dialing() as (peer, _):
            peer.open("a", LIMITS, asyncio.Event())
            await peer.attach(near)

        assert not peer.is_connected
        with pytest.raises(ConnectionEnded, match="closed the socket"):
            await _frame(far, FrameType.DATA)


async def test_the_other_end_dials_first() -> None:
    """A peer that should dial from its end is still dialed after a turn in which it did not."""
    listener = Listener()
    async with listening(listener) as address, dialing(address, dials_first=False) as (peer, counters):
        peer.open("a", LIMITS, asyncio.Event())
        await listener.connections.get()
        await until(lambda: peer.is_connected, "the peer is connected")

        assert 1 == counters["connections"]


class SlowListener(Listener):
    """Listen, and shake hands only when told."""

    def __init__(self) -> None:
        super().__init__()
        self.knocked = asyncio.Event()
        self.may_shake = asyncio.Event()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Let the dialer wait at the listener."""
        self._writers.append(writer)
        self.knocked.set()
        await self.may_shake.wait()
        await super().accept(reader, writer)


async def test_dials_that_cross() -> None:
    """A connection that comes in while the own dial is on its way is refused when that gets through."""
    listener = SlowListener()
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(listening(listener))
        peer, counters = await stack.enter_async_context(dialing(address))
        _, incoming = await stack.enter_async_context(unshaken(make_context(LISTENER), make_context(DIALER)))
        peer.open("a", LIMITS, asyncio.Event())
        peer.dial_now()
        await listener.knocked.wait()
        accepting = asyncio.create_task(peer.accept(incoming))
        listener.may_shake.set()

        with pytest.raises(KnockRefused, match="just reached"):
            await accepting
        assert peer.is_connected
        assert 1 == counters["connections"]


async def test_a_dial_that_fails_lets_the_other_through() -> None:
    """A connection that comes in while the own dial is on its way is taken when that fails."""
    listener = SlowListener()
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(listening(listener))
        peer, counters = await stack.enter_async_context(dialing(address))
        far, incoming = await stack.enter_async_context(unshaken(make_context(LISTENER), make_context(DIALER)))
        peer.open("a", LIMITS, asyncio.Event())
        peer.dial_now()
        await listener.knocked.wait()
        accepting = asyncio.create_task(peer.accept(incoming))
        await listener.close()
        await asyncio.gather(accepting, far.handshake(DIALER.public_key))

        assert peer.is_connected
        assert (1, 1) == (counters["connections"], counters["dials_failed"])
