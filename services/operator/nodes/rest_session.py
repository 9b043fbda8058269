"""One node's API over HTTP: logged in when asked to, within the node's limit; repeated where a repeat does no harm."""

import asyncio
import random
from collections.abc import Callable, Mapping
from typing import Any, cast

import aiohttp
import orjson

from meshkit.clock import Clock
from meshkit.http.failure_words import in_words
from meshkit.http.retry_after import retry_after_ms
from services.operator.errors import NodeFailure, NodeRefused, NodeUnavailable
from services.operator.nodes.login_limit import LoginLimit
from services.operator.nodes.session_file import SessionFile

Counted = Callable[[NodeFailure | None], None]
"""Is told of each failed request why it failed, and of each login with None."""

_TIMEOUT = aiohttp.ClientTimeout(total=15, connect=3)
_READY_TIMEOUT = aiohttp.ClientTimeout(total=3)
# A thousand jobs with long pipelines are a few megabytes.
_LONGEST_ANSWER_BYTES = 64 * 2**20
_PIECE_BYTES = 2**16
_LONGEST_DETAIL = 300
_LOGINS_A_REQUEST = 2
_AT_ONCE = 4
_TRIES = 3
_FIRST_WAIT_S = 0.2
_LONGEST_WAIT_S = 5.0
# What a node does not answer in time it may still be doing: that is for the next pass to look at.
_REPEATED = frozenset({NodeFailure.CONNECTION, NodeFailure.ANSWER, NodeFailure.LIMIT, NodeFailure.SERVER})


class RestSession:
    """
    Send requests to one node, few at once.

    Every request raises NodeUnavailable if the node does not answer or fails, and NodeRefused if it answers with a 4xx;
    the text is the node's own. What only reads, PATCH and DELETE are tried again after a fault that may pass; a POST
    only where the node has counted it as one too many, and not taken it at all.
    """

    def __init__(
        self,
        name: str,
        url: str,
        credentials: Mapping[str, str],
        clock: Clock,
        *,
        kept: SessionFile | None = None,
        counted: Counted = lambda _failure: None,
    ) -> None:
        self.name = name
        self._url = url
        self._credentials = dict(credentials)
        self._clock = clock
        self._kept = kept
        self._counted = counted
        # Cookies are ours to send: a jar would keep back a secure one from loopback's plain HTTP.
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), timeout=_TIMEOUT)
        self._cookies = kept.read() if kept else {}
        self._logins = 0
        self._limit = LoginLimit()
        self._login_error: NodeRefused | NodeUnavailable | None = None
        self._logging_in = asyncio.Lock()
        self._gate = asyncio.Semaphore(_AT_ONCE)

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def is_ready(self) -> bool:
        """Tell whether all services of the node have started."""
        try:
            async with self._session.get(
                f"{self._url}/readyz", timeout=_READY_TIMEOUT, allow_redirects=False
            ) as response:
                return response.status == 200
        except (aiohttp.ClientError, OSError):
            return False

    async def pause(self, tries: int) -> None:
        """Wait before something is tried again that failed so many times: twice as long each time, and never alike."""
        most_s = min(_FIRST_WAIT_S * 2.0 ** (tries - 1), _LONGEST_WAIT_S)
        await self._clock.sleep(most_s * random.uniform(0.5, 1))  # noqa: S311

    async def send(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Mapping[str, Any]:
        """Send a request and return the answer's JSON object, empty for an answer without content."""
        tries = 0
        while True:
            try:
                return await self._attempt(method, path, query, body)
            except NodeUnavailable as error:
                self._counted(error.failure)
                tries += 1
                harmless = method != "POST" or error.failure is NodeFailure.LIMIT
                if not harmless or error.failure not in _REPEATED or tries >= _TRIES:
                    raise
                if error.retry_after_s:
                    await self._clock.sleep(min(error.retry_after_s, _LONGEST_WAIT_S))
            except NodeRefused as error:
                # What is not there is an answer, and no fault.
                if error.http_code != 404:
                    self._counted(NodeFailure.REFUSED)
                raise
            await self.pause(tries)

    async def _attempt(
        self, method: str, path: str, query: Mapping[str, str] | None, body: bytes | None
    ) -> Mapping[str, Any]:
        request = f"{method} {path}"
        tries = 0
        while True:
            logins = self._logins
            async with self._gate:
                answer = await self._exchange(method, path, query, body)
            if answer.status != 401 or tries == _LOGINS_A_REQUEST:
                break
            tries += 1
            await self._log_in(logins)
        if answer.status == 401:
            raise NodeRefused(self.name, request, 401, f"logged in, and yet: {_detail(answer.content)}")
        self._check(request, answer)
        return self._document(request, answer)

    def _check(self, request: str, answer: "_Answer") -> None:
        """Raise unless an answer is a success."""
        status, name = answer.status, self.name
        if status < 300:
            return
        if status < 400:
            raise NodeUnavailable(name, request, f"answered {status}: a redirection", NodeFailure.ANSWER)
        detail = _detail(answer.content)
        if status == 429:
            what = f"answered {status}: {detail}"
            raise NodeUnavailable(name, request, what, NodeFailure.LIMIT, retry_after_s=answer.retry_after_s)
        if status >= 500:
            raise NodeUnavailable(name, request, f"answered {status}: {detail}", NodeFailure.SERVER)
        raise NodeRefused(name, request, status, detail)

    def _document(self, request: str, answer: "_Answer") -> Mapping[str, Any]:
        if not answer.content:
            return {}
        try:
            document = orjson.loads(answer.content)
        except orjson.JSONDecodeError:
            what = f"the answer is not JSON, but {answer.kind}"
            raise NodeUnavailable(self.name, request, what, NodeFailure.ANSWER) from None
        if not isinstance(document, dict):
            raise NodeUnavailable(self.name, request, "the answer is not a JSON object", NodeFailure.ANSWER)
        return document

    async def _log_in(self, logins: int) -> None:
        """Log in, unless somebody has since there were so many logins; raises what the last login came to meanwhile."""
        request = "POST /sessions"
        async with self._logging_in:
            if self._logins > logins:
                return
            if self._limit.wait_s(self._clock.monotonic()):
                what = "not tried now: it takes few logins in a minute"
                raise self._login_error or NodeUnavailable(self.name, request, what, NodeFailure.LOGIN)
            self._limit.begin(self._clock.monotonic())
            self._counted(None)
            answer = await self._exchange("POST", "/sessions", None, orjson.dumps(self._credentials))
            try:
                self._check(request, answer)
                if not answer.cookies:
                    raise NodeUnavailable(self.name, request, "it gave no cookie", NodeFailure.LOGIN)
            except NodeUnavailable as error:
                if error.failure is NodeFailure.LIMIT:
                    self._limit.limited(self._clock.monotonic(), answer.retry_after_s)
                self._login_error = NodeUnavailable(self.name, request, error.detail, NodeFailure.LOGIN)
                raise self._login_error from None
            except NodeRefused as error:
                self._limit.refused(self._clock.monotonic())
                self._login_error = error
                raise
            self._limit.taken()
            self._login_error = None
            self._logins += 1
            self._cookies = answer.cookies
            if self._kept is not None:
                self._kept.keep(answer.cookies)

    async def _exchange(self, method: str, path: str, query: Mapping[str, str] | None, body: bytes | None) -> "_Answer":
        headers = {} if body is None else {"Content-Type": "application/json"}
        if self._cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        request = f"{method} {path}"
        try:
            async with self._session.request(
                method, self._url + path, params=query, data=body, headers=headers, allow_redirects=False
            ) as response:
                return _Answer(response, await self._read(request, response))
        except TimeoutError as error:
            raise NodeUnavailable(self.name, request, "no answer in time", NodeFailure.TIMEOUT) from error
        except (aiohttp.ClientError, OSError) as error:
            # The text of a client error may hold the whole URL, and the URL a password.
            raise NodeUnavailable(self.name, request, in_words(error, self._url), NodeFailure.CONNECTION) from None

    async def _read(self, request: str, response: aiohttp.ClientResponse) -> bytes:
        content = bytearray()
        async for piece in response.content.iter_chunked(_PIECE_BYTES):
            content += piece
            if len(content) > _LONGEST_ANSWER_BYTES:
                what = f"the answer is longer than {_LONGEST_ANSWER_BYTES} bytes"
                raise NodeUnavailable(self.name, request, what, NodeFailure.ANSWER)
        return bytes(content)


class _Answer:
    """Hold what a node answered."""

    def __init__(self, response: aiohttp.ClientResponse, content: bytes) -> None:
        self.status = response.status
        self.content = content
        self.kind = response.content_type
        self.cookies = {name: morsel.coded_value for name, morsel in response.cookies.items() if morsel.value}
        self.retry_after_s = (retry_after_ms(response.headers, 0) or 0) / 1000


def _detail(content: bytes) -> str:
    """Return the text of an error body: `{"errors":[{"detail":…}]}`, or plain text."""
    try:
        errors = cast(Any, orjson.loads(content))["errors"]
        text = "; ".join(str(error["detail"]) for error in errors)
    except (orjson.JSONDecodeError, KeyError, TypeError, IndexError):
        text = content.decode(errors="replace")
    return " ".join(text.split())[:_LONGEST_DETAIL] or "no text"
