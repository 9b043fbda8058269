"""A stream: a named, best-effort way for messages between this node and one peer."""

import asyncio
from collections import Counter
from collections.abc import Callable

from services.oracle.p2p.transport.frames import stream_id
from services.oracle.p2p.transport.limits import StreamLimits, TokenBucket


class Stream:
    """
    Hold one stream's messages in both directions.

    `arrived` is set whenever a message came in; `on_outgoing` is called with the stream when a message waits to be
    sent. Several streams may share an `arrived`.
    """

    def __init__(
        self,
        own_key: bytes,
        peer_key: bytes,
        name: str,
        limits: StreamLimits,
        *,
        now_s: float,
        arrived: asyncio.Event,
        on_outgoing: "Callable[[Stream], None]",
        counters: Counter[str],
    ) -> None:
        self.name = name
        self.limits = limits
        self.id = stream_id(own_key, peer_key, name)
        # A node has thousands of them, most of them empty: an empty list takes a tenth of an empty deque.
        self.outgoing: list[bytes] = []
        self.incoming: list[bytes] = []
        self._arrived = arrived
        self._on_outgoing = on_outgoing
        self._counters = counters
        self._messages = TokenBucket(limits.messages_rate, limits.messages_capacity, now_s)
        self._bytes = TokenBucket(limits.bytes_rate, limits.bytes_capacity, now_s)

    def send(self, message: bytes) -> None:
        """Queue a message; the oldest waiting one gives way when there is no room."""
        if len(message) > self.limits.message_length:
            self._counters["sent_too_long"] += 1
            return
        if len(self.outgoing) == self.limits.buffered:
            self._counters["outgoing_dropped"] += 1
            del self.outgoing[0]
        self.outgoing.append(message)
        self._on_outgoing(self)

    def take_in(self, message: bytes, now_s: float) -> None:
        """Keep a message that came in, unless the peer sends too much."""
        if not self._messages.take(1, now_s) or not self._bytes.take(len(message), now_s):
            self._counters["incoming_over_rate"] += 1
            return
        if len(self.incoming) == self.limits.buffered:
            self._counters["incoming_dropped"] += 1
            del self.incoming[0]
        self.incoming.append(message)
        self._arrived.set()
