"""
Connections to no host but those that are allowed, also where a redirect leads.

This host is always allowed. Beyond it an address must be https or wss, as nothing we ask is to be read or changed on
its way, and its host must be on the list.
"""

from collections.abc import Iterable
from typing import Any, Final

import aiohttp

from meshkit.egress.hosts import allows, is_loopback
from meshkit.resolver import HostResolver

_SECURE: Final = frozenset({"https", "wss"})


class HostRefused(aiohttp.ClientConnectionError):
    """A connection would leave this host for one that is not allowed, or in clear."""


class EgressConnector(aiohttp.TCPConnector):
    """
    Connect to allowed hosts only; a name whose look-up hangs holds up no other.

    Args:
        allowed: Host names in lower case, `*.domain` for all below one, and IP addresses; None for any host.
        options: As for TCPConnector.
    """

    def __init__(self, allowed: Iterable[str] | None, **options: Any) -> None:
        super().__init__(**{"resolver": HostResolver(), **options})
        self._hosts = None if allowed is None else frozenset(allowed)

    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[aiohttp.tracing.Trace], timeout: aiohttp.ClientTimeout
    ) -> aiohttp.connector.Connection:
        """Connect as the request asks; raise HostRefused if it must not."""
        # Every hop of a redirect is a request of its own, and comes by here.
        check(req.url.scheme, req.url.host or "", self._hosts)
        if req.proxy is not None:
            # What goes through it is encrypted to its end, as the address itself must be.
            check("https", req.proxy.host or "", self._hosts)
        return await super().connect(req, traces, timeout)


def check(scheme: str, host: str, allowed: frozenset[str] | None) -> None:
    """Raise HostRefused unless the host may be spoken with in this way."""
    if is_loopback(host):
        return
    if scheme not in _SECURE:
        raise HostRefused(f"{host} must not be spoken with by {scheme}: only https and wss leave this host")
    if allowed is not None and not allows(allowed, host):
        raise HostRefused(f"{host} is not among the hosts of solution.mesh.egress")
