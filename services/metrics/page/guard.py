"""What every answer of the page carries, and whom it answers: browsers of this host, at this host's own names."""

from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
HOSTS: Final = ("127.0.0.1", "localhost", "[::1]")
# What Prometheus and probes ask; by whatever name, since nothing of theirs is run by a browser.
OPEN_PATHS: Final = frozenset({"/metrics", "/health"})


def is_own_host(host: str) -> bool:
    """Tell whether a Host header names this host itself, with any port: a tunnel may have another."""
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        name, port = host, ""
    return name.lower() in HOSTS and (not port or (port.isascii() and port.isdecimal()))


@web.middleware
async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """
    Answer only who asks for this host by a name of its own; another name's page must not read ours (DNS rebinding).

    Raises HTTPForbidden.
    """
    if request.path in OPEN_PATHS:
        return await handler(request)
    host = request.headers.get("Host", "")
    if not is_own_host(host):
        text = f"Host: found {host!r}, allowed: {', '.join(HOSTS)} with any port\n"
        return web.Response(status=403, text=text, headers=HEADERS)
    try:
        response = await handler(request)
    except web.HTTPException as error:
        error.headers.update(HEADERS)
        raise
    if not response.prepared:
        response.headers.update(HEADERS)
    return response
