"""How long and how much a client of one of our HTTP servers may take."""

import ipaddress
import resource
from dataclasses import dataclass, field

LOOPBACK = "loopback"
_OTHERS = 256
_MOST = 4096


def _most() -> int:
    # The other half of the files is for what the answers need: sources, databases, the chain, peers.
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST if soft == resource.RLIM_INFINITY else max(min(_MOST, soft // 2), 1)


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """
    Limit what connections cost.

    Attributes:
        head_s: How long a request's head may take, from its first byte.
        body_s: How long its body may take, from the end of the head.
        idle_s: How long a connection may ask nothing, or leave an answer unread.
        line_bytes: The longest request line, and the longest header.
        connections: How many there may be in all, and of this machine's own processes together. All nodes of a mesh
            come from 127.0.0.1, so it is no less than 30 oracles need that keep a hundred connections each.
        connections_of_others: How many there may be of one address, or one IPv6 network of 64 bits, elsewhere.
    """

    head_s: float = 10.0
    body_s: float = 10.0
    idle_s: float = 75.0
    line_bytes: int = 32_768
    connections: int = field(default_factory=_most)
    connections_of_others: int = _OTHERS

    def of_peer(self, peer: str) -> int:
        """Return how many connections that peer may have."""
        return self.connections if peer == LOOPBACK else min(self.connections_of_others, self.connections)


def peer_of(address: object) -> str:
    """
    Return whom a connection from this socket address counts for.

    All of the loopback network is one peer, as every process of this machine may use any of its addresses; so are
    those without an address, which came by a Unix socket.
    """
    if not isinstance(address, tuple) or not address:
        return LOOPBACK
    found = ipaddress.ip_address(str(address[0]).partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is None:
            # Whoever has one address of these has all of the network.
            return LOOPBACK if found.is_loopback else str(ipaddress.ip_network((found, 64), strict=False))
        found = found.ipv4_mapped
    return LOOPBACK if found.is_loopback else str(found)
