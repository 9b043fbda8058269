"""Who is at the other end of a request: an address, and on this machine the user whose process it is."""

import ipaddress
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

_TABLES = {socket.AF_INET: Path("/proc/net/tcp"), socket.AF_INET6: Path("/proc/net/tcp6")}
_UID_FIELD = 7
# The table is no snapshot: a connection may be passed over while others come and go.
_READINGS = 3
_ROOT = 0


@dataclass(frozen=True, slots=True)
class Peer:
    """
    Hold a peer.

    Attributes:
        key: What its requests are counted under.
        is_ours: Whether it is a process of this node's user or of root, which could read the credentials anyway.
    """

    key: str
    is_ours: bool = False


def of_request(request: web.Request) -> Peer:
    """Return who sent a request."""
    transport = request.transport
    if transport is None:
        return Peer("gone")
    own, theirs = transport.get_extra_info("sockname"), transport.get_extra_info("peername")
    return of_addresses(own, theirs) if own and theirs else Peer("unknown")


def of_addresses(own: tuple[object, ...], theirs: tuple[object, ...]) -> Peer:
    """Return the peer of a connection between these two socket addresses."""
    address = ipaddress.ip_address(str(theirs[0]).partition("%")[0])
    if address == ipaddress.ip_address(str(own[0]).partition("%")[0]) or address.is_loopback:
        uid = _uid(own, theirs)
        return Peer(f"{address} uid {uid}", uid in (_ROOT, os.getuid()))
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return Peer(str(address.ipv4_mapped))
        # Whoever has one address of these has all of the network.
        return Peer(str(ipaddress.ip_network((address, 64), strict=False)))
    return Peer(str(address))


def _uid(own: tuple[object, ...], theirs: tuple[object, ...]) -> int | None:
    """Return the user of a local peer's socket as the kernel's table of connections has it; None if it does not."""
    family = socket.AF_INET6 if ":" in str(theirs[0]) else socket.AF_INET
    ends = f" {_hex(family, theirs)} {_hex(family, own)} ".encode()
    for _ in range(_READINGS):
        try:
            table = _TABLES[family].read_bytes()
        except OSError:
            return None
        at = table.find(ends)
        if at >= 0:
            line = table[table.rfind(b"\n", 0, at) + 1 :].partition(b"\n")[0]
            return int(line.split()[_UID_FIELD])
    return None


def _hex(family: socket.AddressFamily, end: tuple[object, ...]) -> str:
    packed = socket.inet_pton(family, str(end[0]).partition("%")[0])
    words = [packed[i : i + 4] for i in range(0, len(packed), 4)]
    # The kernel prints each word as a number of this machine.
    text = "".join(f"{int.from_bytes(word, 'little' if _IS_LITTLE else 'big'):08X}" for word in words)
    return f"{text}:{int(str(end[1])):04X}"


_IS_LITTLE = socket.htons(1) != 1
