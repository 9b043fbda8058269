"""The http task: a plain request to a URL."""

import ipaddress
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from services.oracle.pipeline import variables
from services.oracle.pipeline.attributes import Attributes
from services.oracle.pipeline.bridge import dump
from services.oracle.pipeline.errors import TaskError
from services.oracle.pipeline.fetch import json_headers
from services.oracle.pipeline.task import Context, Value

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")


@dataclass(frozen=True, slots=True)
class HttpTask:
    """Send a request; the result is the body as text, and any status under 400 is good."""

    method: str
    url: str
    request_data: str
    headers: str
    unrestricted: bool

    @classmethod
    def read(cls, attributes: Attributes) -> Self:
        """Take the attributes."""
        method = (attributes.text("method") or "GET").upper()
        if method not in _METHODS:
            raise attributes.error("method", method, ", ".join(_METHODS))
        return cls(
            method,
            attributes.required("url"),
            attributes.text("requestData") or "",
            attributes.text("headers") or "",
            attributes.flag("allowUnrestrictedNetworkAccess"),
        )

    async def run(self, context: Context) -> Value:
        """Return the body; TaskError if the answer is a failure or the address is not allowed."""
        context.no_errors()
        url = str(variables.resolve(self.url, context.variables))
        if "$(" in self.url and not self.unrestricted:
            _refuse_private(url)
        body = None
        if self.request_data.strip():
            body = dump(variables.resolve_json(self.request_data, context.variables))
        headers = json_headers(variables.resolve_json(self.headers, context.variables)) if self.headers else ()
        timeout_s = None if context.has_own_timeout else context.fetcher.default_timeout_s
        answer = await context.fetcher.send(self.method, url, body, headers, timeout_s)
        if answer.status >= 400:
            raise TaskError(f"got error from {url}: (status code {answer.status}) {answer.body[:200]}")
        return answer.body


def _refuse_private(url: str) -> None:
    """Refuse a computed URL that points into this network; names are let through only if they are public ones."""
    host = urlsplit(url).hostname or ""
    try:
        allowed = ipaddress.ip_address(host).is_global
    except ValueError:
        allowed = "." in host and not host.endswith((".local", ".internal", ".localhost"))
    if not allowed:
        raise TaskError(f"connections to local/private and multicast networks are disabled by default: {host}")
