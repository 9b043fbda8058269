"""The http task: a plain request to a URL."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from services.oracle.pipeline.attributes import Attributes
from services.oracle.pipeline.errors import TaskError, bad_input
from services.oracle.pipeline.parameters import (
    constant,
    json_text,
    resolve,
    text,
    to_bool,
    to_mapping,
    to_text,
    to_texts,
    variable,
    variable_names,
)
from services.oracle.pipeline.task import Context
from services.oracle.pipeline.values import Value

_METHOD = re.compile(r"[A-Za-z]{1,20}")
_URL = re.compile(r"https?://[^\s\x00-\x20\x7f]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class HttpTask:
    """Send a request; the result is the body as text, and any status under 400 is good."""

    method: str
    url: str
    request_data: str
    headers: str
    unrestricted: str

    @classmethod
    def read(cls, attributes: Attributes) -> Self:
        """Take the attributes."""
        return cls(
            attributes.text("method"),
            attributes.text("url"),
            attributes.text("requestData"),
            attributes.text("headers"),
            attributes.text("allowUnrestrictedNetworkAccess"),
        )

    async def run(self, context: Context) -> Value:
        """Return the body; TaskError if the answer is a failure or the address is not allowed."""
        context.checked(-1, None)
        variables = context.variables
        method = resolve("method", _method, text(self.method), constant("GET"))
        url = resolve("url", _url, variable(self.url, variables), text(self.url))
        data = resolve(
            "requestData",
            to_mapping,
            variable(self.request_data, variables),
            json_text(self.request_data, variables),
            constant(None),
        )
        unrestricted = resolve(
            "allowUnrestrictedNetworkAccess",
            to_bool,
            text(self.unrestricted),
            constant(not variable_names(self.url)),
        )
        headers = resolve("reqHeaders", to_texts, text(self.headers), constant("[]"))
        if len(headers) % 2:
            raise TaskError("headers must have an even number of elements")
        if not unrestricted:
            _refuse_private(url)
        sent = await context.fetcher.send(method, url, data, headers, context.until_s, public_only=not unrestricted)
        return sent.body


def _method(value: Value) -> str:
    method = to_text(value)
    if not _METHOD.fullmatch(method):
        raise TaskError(f'failed to create http.Request: net/http: invalid method "{method[:40]}"')
    return method


def _url(value: Value) -> str:
    url = to_text(value)
    if not _URL.fullmatch(url):
        raise bad_input(f'parse "{url[:200]}": invalid URI for request')
    return url


def _refuse_private(url: str) -> None:
    """Refuse a computed URL that evidently points into this network; where a name leads is seen when it is dialled."""
    host = urlsplit(url).hostname or ""
    try:
        allowed = ipaddress.ip_address(host).is_global
    except ValueError:
        allowed = "." in host and not host.endswith((".local", ".internal", ".localhost"))
    if not allowed:
        raise TaskError(f"connections to local/private and multicast networks are disabled by default: {host}")
