"""The HTTP side that all sources share: one session, JSON with exact numbers, statuses told apart."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from meshkit.clock import Clock
from meshkit.resolver import HostResolver
from services.aggregator import exact_json
from services.aggregator.prices.errors import (
    AccessRefused,
    MalformedAnswer,
    ProviderFault,
    SourceRateLimited,
    SourceTimeout,
)
from services.aggregator.sources.source import Declaration, RateLimiter

USER_AGENT = "feedmesh-aggregator"
# The longest known answer is Binance's list of symbols with some 20 MB.
LONGEST_BODY_BYTES = 64 * 1024 * 1024
# The kernel's keep-alive of idle exchange connections is about a minute; ours must be shorter than theirs.
KEEPALIVE_S = 45
LONGEST_MESSAGE = 200
LONGEST_COOL_DOWN_MS = 3 * 24 * 3_600_000
# A number above this is a time in ms since 1970, in 2001 or later; as a wait it would be 31 years.
_LONG_AGO_MS = 1_000_000_000_000
_LIMIT_STATUSES = frozenset({418, 429})
_REFUSED_STATUSES = frozenset({401, 403, 407, 451})


@dataclass(frozen=True, slots=True)
class Answer:
    """
    Hold an answer with status 200 or another one that only the source can interpret.

    Attributes:
        body: Its parsed JSON; its text if the source reads the status itself and it is no JSON.
        wait_ms: How long its headers ask to wait, if they do.
    """

    status: int
    body: object
    wait_ms: int | None = None

    @property
    def fields(self) -> Mapping[str, Any]:
        """Return the body if it is a JSON object, else an empty one."""
        return self.body if isinstance(self.body, dict) else {}


def open_session() -> aiohttp.ClientSession:
    """Return the session of all sources: kept-alive connections, no cookies, no proxies from the environment."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=0, keepalive_timeout=KEEPALIVE_S, ttl_dns_cache=60, resolver=HostResolver()
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
    )


class SourceClient:
    """
    Ask one provider.

    Args:
        base_url: Its address; None for its own.
        api_key: Our key, sent where the declaration says, in a header wherever the provider takes one.
        proxy: The HTTP proxy to reach it through; None to reach it directly.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        declaration: Declaration,
        clock: Clock,
        *,
        base_url: str | None = None,
        timeout_ms: int = 10_000,
        api_key: str | None = None,
        proxy: str | None = None,
    ) -> None:
        self.source = declaration.name
        self._session = session
        self._declaration = declaration
        self._clock = clock
        self._base_url = (base_url or declaration.base_url).rstrip("/")
        self._timeout_ms = timeout_ms
        self._api_key = api_key
        self._proxy = proxy
        self._headers: dict[str, str] = {}
        self._parameters: dict[str, str] = {}
        if (place := declaration.key) is not None and api_key is not None:
            if header := place.header_at(urlsplit(self._base_url).hostname or ""):
                self._headers[header] = f"{place.scheme} {api_key}".lstrip()
            else:
                self._parameters[place.parameter] = api_key

    async def get(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        limiter: RateLimiter,
        reads: Collection[int] = (),
    ) -> Answer:
        """
        Return the answer to a GET, also one of the statuses that the source `reads` itself, once `limiter` allows it.

        Raises SourceTimeout, SourceRateLimited (429, 418), AccessRefused (401, 403, 407, 451), ProviderFault (no
        connection, a redirect, 5xx, a body too long), MalformedAnswer (a body that is not JSON), and as
        `limiter` does.
        """
        await limiter.acquire()
        try:
            async with self._session.get(
                self._base_url + path,
                params={**(params or {}), **self._parameters},
                headers=self._headers,
                proxy=self._proxy,
                timeout=aiohttp.ClientTimeout(total=self._timeout_ms / 1000),
                allow_redirects=False,
            ) as response:
                wait = wait_ms(response.headers, self._declaration.reset_header, self._clock.time_ms())
                if response.status not in reads:
                    self._check_status(response.status, wait)
                body = await self._read(response)
        except TimeoutError:
            raise SourceTimeout(self.source, self._timeout_ms) from None
        except aiohttp.ClientError as error:
            # The text of some of these holds the URL, and the URL of some sources holds the key.
            raise ProviderFault(self.source, f"request failed with {type(error).__name__}") from None
        if response.status in reads:
            return Answer(response.status, self._parse_or_text(body), wait)
        if response.status != 200 and not body:
            raise ProviderFault(self.source, f"HTTP {response.status}")
        return Answer(response.status, self._parse(body, response.status), wait)

    def limited(self, wait_ms: int | None = None) -> SourceRateLimited:
        """Return the error for a limit answer; without a wait of its own, for the declared cool-down."""
        return SourceRateLimited(self.source, self._declaration.cool_down_ms if wait_ms is None else wait_ms)

    def refused(self, message: str) -> AccessRefused:
        """Return the error for a refusal of our key, of our plan or of our address."""
        return AccessRefused(self.source, self._presentable(message))

    def malformed(self, message: str) -> MalformedAnswer:
        """Return the error for an answer that is not what the provider documents."""
        return MalformedAnswer(self.source, self._presentable(message))

    def fault(self, message: str) -> ProviderFault:
        """Return the error for a fault that the provider reports."""
        return ProviderFault(self.source, self._presentable(message))

    def _presentable(self, message: str) -> str:
        """Return a message that may hold a provider's words: some of them repeat our key to us."""
        if self._api_key:
            message = message.replace(self._api_key, "***")
        return message[:LONGEST_MESSAGE]

    def _check_status(self, status: int, wait: int | None) -> None:
        if status in _LIMIT_STATUSES:
            raise self.limited(wait)
        if status in _REFUSED_STATUSES:
            raise self.refused(f"HTTP {status}")
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

    def _parse_or_text(self, body: bytes) -> object:
        try:
            return self._parse(body, 0)
        except MalformedAnswer:
            return body.decode(errors="replace")

    def _parse(self, body: bytes, status: int) -> object:
        try:
            return exact_json.loads(body)
        except ValueError:
            raise self.malformed(f"HTTP {status} with a body that is not JSON") from None


def wait_ms(headers: Mapping[str, str], reset_header: str, now_ms: int) -> int | None:
    """Return the wait that Retry-After or the provider's own header (ms, or a Unix time in ms) asks for, or None."""
    wait = retry_after_ms(headers.get("Retry-After"), now_ms)
    text = headers.get(reset_header, "").strip()
    if wait is not None or not (text.isascii() and text.isdigit()):
        return wait
    number = int(text[:16])
    left_ms = number - now_ms if number > _LONG_AGO_MS else number
    return min(left_ms, LONGEST_COOL_DOWN_MS) if left_ms > 0 else None


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
