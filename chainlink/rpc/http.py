"""One question to one JSON-RPC endpoint over HTTP, and what counts as its answer."""

import asyncio
import itertools
from collections.abc import Sequence
from typing import Any, Final

import aiohttp
import orjson

from chainlink.rpc.answers import result_of
from chainlink.rpc.errors import Malformed, RateLimited

TIMEOUT_S: Final = 5.0
# Room for the logs of a thousand blocks and for the state of a development chain, not for an answer without end.
MOST_BYTES: Final = 256 * 1024 * 1024
# Not a word of the chain, but of whoever stands before it: no key, no right, no way.
_OWN_TROUBLES = (401, 403, 407)
_TOO_MANY_REQUESTS = 429
_CHUNK_BYTES = 64 * 1024

FAILURES: Final = (aiohttp.ClientError, TimeoutError, OSError, Malformed)
"""What `Transport.ask` raises when there is no answer; RateLimited and RpcRefused are answers."""


class Transport:
    """Ask over a session that somebody else closes; nothing of a question outlives it, also when it is cancelled."""

    def __init__(self, session: aiohttp.ClientSession, timeout_s: float = TIMEOUT_S) -> None:
        self._session = session
        self._timeout_s = timeout_s
        self._numbers = itertools.count(1)

    async def ask(self, url: str, method: str, params: Sequence[object], *, timeout_s: float | None = None) -> Any:
        """
        Return the result of one call.

        Raises:
            RpcRefused: when the answer is an error.
            RateLimited: when the endpoint was asked too often.
            Malformed: when what came is no answer to this question.
            aiohttp.ClientError, TimeoutError, OSError: when nothing came.
        """
        number = next(self._numbers)
        body = orjson.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)})
        # The session of a node does not decompress, as bridges want it.
        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        async with asyncio.timeout(self._timeout_s if timeout_s is None else timeout_s):
            # A redirect would turn the question into a GET, and lead who knows where.
            async with self._session.post(
                url, data=body, headers=headers, allow_redirects=False, timeout=aiohttp.ClientTimeout(total=None)
            ) as response:
                _check(method, response)
                answer = _read(method, response, await _body(method, response))
        return result_of(method, answer, number)


def _check(method: str, response: aiohttp.ClientResponse) -> None:
    status = response.status
    if status == _TOO_MANY_REQUESTS:
        raise RateLimited(method, _seconds(response.headers.get("Retry-After")))
    if status in _OWN_TROUBLES or status >= 500 or 300 <= status < 400:
        raise Malformed(f"{method}: HTTP {status}")


def _seconds(text: str | None) -> float | None:
    """Return the seconds of a Retry-After header; a date is not read, since the endpoint's clock may be any."""
    return float(text) if text is not None and text.isascii() and text.isdigit() else None


async def _body(method: str, response: aiohttp.ClientResponse) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_chunked(_CHUNK_BYTES):
        size += len(part)
        if size > MOST_BYTES:
            raise Malformed(f"{method}: an answer of more than {MOST_BYTES} bytes")
        parts.append(part)
    return b"".join(parts)


def _read(method: str, response: aiohttp.ClientResponse, body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        kind = response.headers.get("Content-Type", "no content type").partition(";")[0]
        raise Malformed(f"{method}: HTTP {response.status} with {kind[:40]} that is no JSON") from error
