"""The messages of one configuration: oracle indices on one side, streams to peers on the other."""

import asyncio
from collections.abc import Mapping, Sequence

from services.oracle.p2p.peer import Peer
from services.oracle.p2p.transport.limits import StreamLimits

_NETWORK_PREFIX = b"\xee\xee"
_DIGEST_LENGTH = 32


def stream_name(config_digest: bytes) -> str:
    """Return the name of the streams of a configuration; 16-byte digests of OCR1 are widened to 32 bytes."""
    if len(config_digest) != _DIGEST_LENGTH:
        config_digest = (_NETWORK_PREFIX + config_digest).ljust(_DIGEST_LENGTH, b"\0")
    return f"ocr/{config_digest.hex()}"


class OcrEndpoint:
    """
    Send to and receive from the other oracles of one configuration, by index.

    Best effort: nothing is acknowledged, and when a buffer is full its oldest message is dropped.
    """

    def __init__(self, config_digest: bytes, peers: Mapping[int, Peer], limits: StreamLimits) -> None:
        self._peers = peers
        self._arrived = asyncio.Event()
        name = stream_name(config_digest)
        self._streams = {index: peer.open(name, limits, self._arrived) for index, peer in peers.items()}
        self._order: Sequence[int] = sorted(self._streams)

    @property
    def connected(self) -> tuple[int, ...]:
        """Return the indices of the oracles that are connected now."""
        return tuple(index for index in self._order if self._peers[index].is_connected)

    def send(self, to: int, payload: bytes) -> None:
        """Queue a message to one oracle; to oneself nothing is sent."""
        stream = self._streams.get(to)
        if stream is not None:
            stream.send(payload)

    def broadcast(self, payload: bytes) -> None:
        """Queue a message to every other oracle."""
        for stream in self._streams.values():
            stream.send(payload)

    async def receive(self) -> tuple[int, bytes]:
        """Wait for the next message; return its sender's index and its bytes."""
        while True:
            for position, index in enumerate(self._order):
                incoming = self._streams[index].incoming
                if incoming:
                    # Whoever was heard goes to the end, so that a flood of one oracle does not silence the others.
                    self._order = [*self._order[position + 1 :], *self._order[: position + 1]]
                    return index, incoming.pop(0)
            self._arrived.clear()
            await self._arrived.wait()

    def close(self) -> None:
        """Close the streams; the host calls it when the configuration is unregistered."""
        for index, stream in self._streams.items():
            self._peers[index].close_stream(stream)
