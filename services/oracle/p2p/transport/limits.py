"""How much a node takes from a peer: token buckets, and the sizes that fill them."""

from collections.abc import Iterable
from dataclasses import dataclass

from services.oracle.p2p.transport.frames import HEADER_LENGTH

# What TLS, headers of refused frames, and frames that open and close streams may need beside the messages.
_CONTROL_RATE = 1_465.0
_CONTROL_CAPACITY = 879_000.0
TOKENS_PER_CONNECTION = 586_000.0
_OVERHEAD = 1.5


class TokenBucket:
    """Allow `rate` tokens a second, and `capacity` at once; starts full. Times are seconds of a monotonic clock."""

    def __init__(self, rate: float, capacity: float, now_s: float) -> None:
        self._rate = rate
        self._capacity = capacity
        self._tokens = capacity
        self._at_s = now_s

    def take(self, tokens: float, now_s: float) -> bool:
        """Take tokens if there are enough; tell whether there were."""
        self._fill(now_s)
        if tokens > self._tokens:
            return False
        self._tokens -= tokens
        return True

    def add(self, tokens: float, now_s: float) -> None:
        """Give tokens beside the rate, up to the capacity."""
        self._fill(now_s)
        self._tokens = min(self._capacity, self._tokens + tokens)

    def resize(self, rate: float, capacity: float, now_s: float) -> None:
        """Change rate and capacity; what a larger capacity adds is there at once."""
        self._fill(now_s)
        self._tokens = max(0.0, self._tokens + capacity - self._capacity)
        self._rate, self._capacity = rate, capacity

    def _fill(self, now_s: float) -> None:
        self._tokens = min(self._capacity, self._tokens + self._rate * max(0.0, now_s - self._at_s))
        self._at_s = max(self._at_s, now_s)


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """
    Hold what a stream takes from the remote peer, and how many messages wait in each direction.

    Rates are per second. Messages above the rates are dropped, longer ones close the connection; of waiting messages
    the oldest is dropped.
    """

    message_length: int
    messages_rate: float
    messages_capacity: float
    bytes_rate: float
    bytes_capacity: float
    buffered: int = 10


def connection_limits(streams: Iterable[StreamLimits]) -> tuple[float, float]:
    """Return rate and capacity, in raw bytes, of a connection that carries these streams."""
    rate, capacity = _CONTROL_RATE, _CONTROL_CAPACITY
    for limits in streams:
        rate += _OVERHEAD * (limits.messages_rate * HEADER_LENGTH + limits.bytes_rate)
        capacity += _OVERHEAD * (limits.messages_capacity * HEADER_LENGTH + limits.bytes_capacity)
    return rate, capacity
