"""
The sessions over which tasks ask: any host, or those of an allow-list, and of computed URLs public addresses only.

What a job computes may come from a stranger's answer, so a name must not lead into this network, nor a redirect: the
address that is dialled counts, as in the real node.
"""

import ipaddress
import socket
from collections.abc import Callable, Iterable
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from meshkit.egress.connector import EgressConnector, HostRefused
from meshkit.resolver import HostResolver

_MOST_REQUESTS: Final = 200
IsPublic = Callable[[str], bool]


def is_public(address: str) -> bool:
    """Tell whether a numeric address is of the public internet."""
    found = ipaddress.ip_address(address)
    return found.is_global and not found.is_multicast


def open_session(egress: Iterable[str] | None) -> aiohttp.ClientSession:
    """Return the session for URLs that stand in a job; `egress` are the hosts beyond this one, None for any."""
    options: dict[str, Any] = {"limit": _MOST_REQUESTS, "resolver": HostResolver()}
    connector = aiohttp.TCPConnector(**options) if egress is None else EgressConnector(egress, **options)
    return aiohttp.ClientSession(connector=connector, auto_decompress=False)


def open_public_session(
    egress: Iterable[str] | None, is_allowed: IsPublic = is_public, resolver: AbstractResolver | None = None
) -> aiohttp.ClientSession:
    """
    Return the session for URLs that a job computes.

    Args:
        egress: The hosts that it may ask, None for any.
        is_allowed: Whether a numeric address may be dialled.
        resolver: What looks names up; None for the system.
    """
    only = _PublicResolver(resolver or HostResolver(), is_allowed)
    kind = _PublicConnector if egress is None else _PublicEgressConnector
    given = {} if egress is None else {"allowed": egress}
    return aiohttp.ClientSession(
        connector=kind(is_allowed=is_allowed, limit=_MOST_REQUESTS, resolver=only, **given), auto_decompress=False
    )


class _PublicConnector(aiohttp.TCPConnector):
    """Refuse numeric addresses that are not public; names are their resolver's."""

    def __init__(self, *, is_allowed: IsPublic, **options: Any) -> None:
        super().__init__(**options)
        self._is_allowed = is_allowed

    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[aiohttp.tracing.Trace], timeout: aiohttp.ClientTimeout
    ) -> aiohttp.connector.Connection:
        """Connect as the request asks, each hop of a redirect too; raise HostRefused if it must not."""
        host = req.url.host or ""
        try:
            allowed = self._is_allowed(host)
        except ValueError:
            allowed = True  # a name
        if not allowed:
            raise HostRefused(_words(host))
        return await super().connect(req, traces, timeout)


class _PublicEgressConnector(_PublicConnector, EgressConnector):
    """Refuse hosts that are not on the list, too."""


class _PublicResolver(AbstractResolver):
    """Give of a name's addresses the public ones only."""

    def __init__(self, resolver: AbstractResolver, is_allowed: IsPublic) -> None:
        self._resolver = resolver
        self._is_allowed = is_allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the public addresses of a host; raise HostRefused if it has others only, OSError if it has none."""
        found = [each for each in await self._resolver.resolve(host, port, family) if self._is_allowed(each["host"])]
        if not found:
            raise HostRefused(_words(host))
        return found

    async def close(self) -> None:
        """End looking up."""
        await self._resolver.close()


def _words(host: str) -> str:
    return f"connections to local/private and multicast networks are disabled by default: {host}"
