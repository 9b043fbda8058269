"""The HTTP side that all sources share: one session, JSON with exact numbers, statuses told apart."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import NoReturn

import aiohttp
import orjson

from meshkit.clock import Clock
from services.aggregator import throttle
from services.aggregator.errors import AccessRefused, MalformedAnswer, ProviderFault, SourceRateLimited, SourceTimeout
from services.aggregator.sources.source import Declaration

USER_AGENT = "feedmesh-aggregator"
# The longest known answer is Binance's list of symbols with some 20 MB.
LONGEST_BODY_BYTES = 64 * 1024 * 1024
# The kernel's keep-alive of idle exchange connections is about a minute; ours must be shorter than theirs.
KEEPALIVE_S = 45
LONGEST_COOL_DOWN_MS = 3 * 24 * 3_600_000
_LIMIT_STATUSES = frozenset({418, 429})
_REFUSED_STATUSES = frozenset({401, 403, 407, 451})


@dataclass(frozen=True, slots=True)
class Answer:
    """Hold an answer with status 200 or another one that only the source can interpret, and its parsed JSON."""

    status: int
    body: object


def open_session() -> aiohttp.ClientSession:
    """Return the session of all sources: kept-alive connections, no cookies, no proxies from the environment."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE_S, ttl_dns_cache=60),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
    )


class SourceClient:
    """Ask one provider."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        declaration: Declaration,
        clock: Clock,
        *,
        base_url: str | None = None,
        timeout_ms: int = 10_000,
    ) -> None:
        self.source = declaration.name
        self._session = session
        self._declaration = declaration
        self._clock = clock
        self._base_url = (base_url or declaration.base_url).rstrip("/")
        self._timeout_ms = timeout_ms

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Answer:
        """
        Return the answer to a GET.

        Raises SourceTimeout, SourceRateLimited (429, 418), AccessRefused (401, 403, 407, 451), ProviderFault (no
        connection, a redirect, 5xx, a body too long) and MalformedAnswer (a body that is not JSON).
        """
        await throttle.next_call()
        try:
            async with self._session.get(
                self._base_url + path,
                params=params,
                timeout=aiohttp.ClientTimeout(total=self._timeout_ms / 1000),
                allow_redirects=False,
            ) as response:
                self._check_status(response)
                body = await self._read(response)
        except TimeoutError:
            raise SourceTimeout(self.source, self._timeout_ms) from None
        except aiohttp.ClientError as error:
            # The text of some of these holds the URL, and the URL of some sources holds the key.
            raise ProviderFault(self.source, f"request failed with {type(error).__name__}") from error
        if response.status != 200 and not body:
            raise ProviderFault(self.source, f"HTTP {response.status}")
        return Answer(response.status, self._parse(body, response.status))

    def limited(self, wait_ms: int | None = None) -> SourceRateLimited:
        """Return the error for a limit answer; without a wait of its own, for the declared cool-down."""
        return SourceRateLimited(self.source, self._declaration.cool_down_ms if wait_ms is None else wait_ms)

    def malformed(self, message: str) -> MalformedAnswer:
        """Return the error for an answer that is not what the provider documents."""
        return MalformedAnswer(self.source, message)

    def fault(self, message: str) -> ProviderFault:
        """Return the error for a fault that the provider reports."""
        return ProviderFault(self.source, message)

    def _check_status(self, response: aiohttp.ClientResponse) -> None:
        status = response.status
        if status in _LIMIT_STATUSES:
            raise self.limited(retry_after_ms(response.headers.get("Retry-After"), self._clock.time_ms()))
        if status in _REFUSED_STATUSES:
            raise AccessRefused(self.source, f"HTTP {status}")
        if status >= 500 or 300 <= status < 400:
            raise ProviderFault(self.source, f"HTTP {status}")

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        chunks, size = [], 0
        async for chunk in response.content.iter_chunked(256 * 1024):
            chunks.append(chunk)
            size += len(chunk)
            if size > LONGEST_BODY_BYTES:
                raise ProviderFault(self.source, f"an answer of more than {LONGEST_BODY_BYTES} bytes")
        return b"".join(chunks)

    def _parse(self, body: bytes, status: int) -> object:
        try:
            # orjson bounds the nesting whatever the interpreter's recursion limit is, and refuses what json lets pass.
            orjson.loads(body)
            # Binary floats would change digits, so numbers with a fraction become Decimal.
            return json.loads(body, parse_float=Decimal, parse_constant=_no_constant)
        except ValueError:
            raise self.malformed(f"HTTP {status} with a body that is not JSON") from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def retry_after_ms(header: str | None, now_ms: int) -> int | None:
    """Return the wait that a Retry-After header (seconds or a date) asks for, or None where it asks for none."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return min(int(text[:12]) * 1000, LONGEST_COOL_DOWN_MS)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max(int(moment.timestamp() * 1000) - now_ms, 0), LONGEST_COOL_DOWN_MS)
