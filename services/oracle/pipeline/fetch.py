"""HTTP for tasks: the requests a Chainlink node makes, with its limits and its words for what goes wrong."""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from services.oracle.pipeline.errors import TaskError
from services.oracle.pipeline.values import Value, dump

_USER_AGENT = "Go-http-client/1.1"


@dataclass(frozen=True, slots=True)
class Answer:
    """Hold an HTTP answer, its body cut at the size limit."""

    status: int
    body: str


class StatusError(TaskError):
    """A server answered, but with a failure; a 4xx is not worth a retry."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text, retryable=not 400 <= status < 500)
        self.status = status


class Fetcher:
    """
    Send the requests of bridge and http tasks.

    `bridge_url` finds a bridge's URL by its name; `max_bytes` cuts bodies silently, as the node does. What must not
    lead into this network goes over the session `public`, where there is one.

    Attributes:
        default_timeout_s: The limit of a task without a timeout of its own; 0 for none.
        bridge_cache_ttl_s: How long the last good answer of a bridge may stand in, where its task says nothing of it.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        bridge_url: Callable[[str], str | None],
        *,
        default_timeout_s: float,
        max_bytes: int,
        bridge_cache_ttl_s: float = 0.0,
        public: aiohttp.ClientSession | None = None,
    ) -> None:
        self._session = session
        self._public = public or session
        self._bridge_url = bridge_url
        self.default_timeout_s = default_timeout_s
        self.bridge_cache_ttl_s = bridge_cache_ttl_s
        self._max_bytes = max_bytes

    def bridge(self, name: str) -> str:
        """Return the URL of a bridge; TaskError if there is none."""
        url = self._bridge_url(name)
        if url is None:
            raise TaskError(f"could not find bridge with name '{name}'")
        return url

    async def send(
        self,
        method: str,
        url: str,
        data: Value,
        headers: Sequence[str],
        until_s: float,
        *,
        public_only: bool = False,
    ) -> Answer:
        """
        Send a request with a JSON object as its body, or None for none; wait until that time of the event loop's clock.

        With `public_only` neither its name nor a redirect may lead into this network.

        Raises:
            TaskError: when no answer came in time, or its status is 400 or above.
        """
        sent = {"User-Agent": _USER_AGENT, "Content-Type": "application/json"}
        sent |= dict(zip(headers[::2], headers[1::2], strict=True))
        body = None if data is None else dump(data)
        try:
            async with (
                asyncio.timeout_at(until_s),
                (self._public if public_only else self._session).request(
                    method, url, data=body, headers=sent, skip_auto_headers=("Accept-Encoding", "Accept")
                ) as response,
            ):
                answer = Answer(response.status, await self._read(response))
        except TimeoutError as error:
            raise TaskError("http request timed out or interrupted", retryable=True) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            reason = f'{method.capitalize()} "{url}": {_reason(error)}'
            raise TaskError(f"error making http request: {reason}", retryable=True) from error
        if answer.status >= 400:
            named = f"(status code {answer.status}) {_said(answer.body)}"
            raise _FailedAnswer(f"got error from {url}: {named}", answer)
        return answer

    async def _read(self, response: aiohttp.ClientResponse) -> str:
        read = bytearray()
        async for chunk in response.content.iter_chunked(16384):
            read += chunk
            if len(read) >= self._max_bytes:
                break
        return bytes(read[: self._max_bytes]).decode("utf-8", "replace")


class _FailedAnswer(StatusError):
    """Hold the answer of a failure too, for who can read more out of it."""

    def __init__(self, text: str, answer: Answer) -> None:
        super().__init__(text, answer.status)
        self.answer = answer


def answer_of(error: TaskError) -> Answer | None:
    """Return the answer that a failure came with, None if there was none."""
    return error.answer if isinstance(error, _FailedAnswer) else None


def json_object(text: str) -> Mapping[str, Any] | None:
    """Return the JSON object that a body is, None if it is none."""
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None


def _said(body: str) -> str:
    """Return what a server says of its failure: one of two fields of JSON, or all of it."""
    document = json_object(body)
    if document is None:
        return ""
    for key in ("error", "errorMessage"):
        if not isinstance(document.get(key), str | None):
            return ""
    return document.get("error") or document.get("errorMessage") or body


def _reason(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"dial tcp: lookup {error.host}: no such host"
    if isinstance(error, aiohttp.ClientConnectorError) and error.os_error.errno:
        return f"dial tcp {error.host}:{error.port}: connect: {os.strerror(error.os_error.errno).lower()}"
    return str(error) or type(error).__name__
