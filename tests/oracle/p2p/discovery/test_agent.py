"""Discovery keeps within what the peer takes, whatever there is to tell."""

import asyncio
from collections import Counter

from hypothesis import example, given
from hypothesis import strategies as st

from meshkit.clock import ManualClock
from services.oracle.p2p.address import Address
from services.oracle.p2p.discovery.address_book import AddressBook, Group
from services.oracle.p2p.discovery.agent import DiscoveryAgent, discovery_limits
from services.oracle.p2p.peer import Peer
from services.oracle.p2p.transport.limits import TokenBucket
from services.oracle.p2p.transport.streams import Stream
from tests.oracle.ocr.committee import make_committee

OWN, PEER, *_ = make_committee().peers
DELTA_RECONCILE_S = 4.0


class Line:
    """Be a peer whose connection comes up at some time; count what of each moment it would refuse."""

    peer_key = PEER.public_key

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        limits = discovery_limits(DELTA_RECONCILE_S)
        self._takes = TokenBucket(limits.messages_rate, limits.messages_capacity, 0)
        self.waiting: list[bytes] = []
        self.is_connected = False
        self.taken = self.refused = 0

    def open(self, name: str, limits: object, arrived: asyncio.Event) -> Stream:
        """Give a stream that this counts for."""
        stream = Stream(
            OWN.public_key,
            PEER.public_key,
            name,
            discovery_limits(DELTA_RECONCILE_S),
            now_s=0,
            arrived=arrived,
            on_outgoing=self.deliver,
            counters=Counter(),
        )
        self.waiting = stream.outgoing
        return stream

    def deliver(self, *_: Stream) -> None:
        """Let what waits reach the peer, if it is connected."""
        while self.is_connected and self.waiting:
            self.waiting.pop(0)
            if self._takes.take(1, self._clock.monotonic()):
                self.taken += 1
            else:
                self.refused += 1


async def _converse(connects_at: int, news: list[int]) -> Line:
    clock = ManualClock()
    line = Line(clock)
    book = AddressBook(OWN, [Address("127.0.0.1", 1)])
    book.add_group(bytes(16), Group(frozenset({OWN.public_key, PEER.public_key}), {}))
    agent = DiscoveryAgent(
        book, delta_reconcile_s=DELTA_RECONCILE_S, clock=clock, counters=Counter(), on_change=lambda learned: None
    )
    peer: Peer = line  # type: ignore[assignment] # all that an agent needs of a peer
    agent.add(peer)
    running = asyncio.create_task(agent.run())
    for moment in range(60):
        for _ in range(5):  # until the task has gone to sleep
            await asyncio.sleep(0)
        if moment == connects_at:
            line.is_connected = True
            line.deliver()
        for _ in range(news.count(moment)):
            agent.tell_news()
        clock.advance(1)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return line


@given(st.integers(0, 30), st.lists(st.integers(0, 59), max_size=8))
@example(11, [11, 11])  # just before a regular message, with two old ones waiting
def test_never_more_than_the_peer_takes(connects_at: int, news: list[int]) -> None:
    """Whenever the connection comes and however much is new, nothing is refused, and the regular messages come."""
    line = asyncio.run(_converse(connects_at, news))

    assert 0 == line.refused
    assert line.taken >= (60 - connects_at) // DELTA_RECONCILE_S
