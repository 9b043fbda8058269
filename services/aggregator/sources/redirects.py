"""No redirect is followed: what a key or a price depends on is asked where the configuration says, and nowhere else."""

from types import SimpleNamespace
from urllib.parse import urlsplit

import aiohttp


class RedirectRefused(aiohttp.ClientConnectionError):
    """An answer would send us elsewhere."""


def refusing_redirects() -> aiohttp.TraceConfig:
    """Return what has a session raise RedirectRefused, also where aiohttp has no option for it, as for WebSockets."""
    tracing = aiohttp.TraceConfig()
    tracing.on_request_redirect.append(_refuse)
    return tracing


async def _refuse(
    _session: aiohttp.ClientSession, _context: SimpleNamespace, told: aiohttp.TraceRequestRedirectParams
) -> None:
    # Only the host is named: the rest of an address may hold a key.
    host = urlsplit(told.response.headers.get("Location", "")).hostname or "another place of the same host"
    raise RedirectRefused(f"HTTP {told.response.status}, which redirects to {host}")
