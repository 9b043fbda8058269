"""Real hosts on loopback: one bootstrapper and n oracles that know only it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.oracle.p2p.endpoint import OcrEndpoint
from services.oracle.p2p.host import Host
from services.oracle.p2p.identity import PeerKey
from services.oracle.p2p.transport.limits import StreamLimits
from tests.oracle.ocr.committee import secret_of

DIGEST = bytes(range(16))
LIMITS = StreamLimits(10_000, 1_000.0, 1_000, 1_000_000.0, 1_000_000)
BOOTSTRAP_KEY = PeerKey.from_bytes(secret_of("bootstrap", 0))


def make_host(key: PeerKey, listen: str = "127.0.0.1:0") -> Host:
    """Make a host that dials and reconciles fast."""
    return Host(key, listen=[listen], delta_dial_s=0.3, delta_reconcile_s=0.5)


@asynccontextmanager
async def running(*hosts: Host) -> AsyncIterator[None]:
    """Start hosts, and close them at the end."""
    for host in hosts:
        await host.start()
    try:
        yield
    finally:
        await asyncio.gather(*(host.close() for host in hosts))


def join(host: Host, keys: list[PeerKey], bootstrap: Host, limits: StreamLimits = LIMITS) -> OcrEndpoint:
    """Register the group of these keys at an oracle's host."""
    located = {bootstrap.peer_id: bootstrap.addresses}
    endpoint = host.register_group(DIGEST, [key.peer_id for key in keys], located, limits)
    assert endpoint is not None
    return endpoint
