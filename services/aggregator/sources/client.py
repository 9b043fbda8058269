"""The HTTP side that all sources share: one session, JSON with exact numbers, statuses told apart."""

import asyncio
import re
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from meshkit.clock import Clock
from meshkit.egress.connector import EgressConnector
from meshkit.errors import MeshError
from meshkit.http.failure_words import in_words
from meshkit.http.retry_after import LONGEST_MS, bounded_ms, date_ms, retry_after_ms
from services.aggregator import exact_json
from services.aggregator.own_clock import OwnClock
from services.aggregator.prices.errors import (
    AccessRefused,
    MalformedAnswer,
    ProviderFault,
    SourceRateLimited,
    SourceTimeout,
)
from services.aggregator.sources.body import read_body
from services.aggregator.sources.redirects import refusing_redirects
from services.aggregator.sources.source import Declaration, RateLimiter

USER_AGENT = "feedmesh-aggregator"
LONGEST_BODY_BYTES = 8 * 1024 * 1024
# The longest known list is that of Binance's symbols with some 20 MB.
LONGEST_LISTING_BYTES = 64 * 1024 * 1024
# To read a longer body takes longer than others should wait for their turn.
_LONGEST_IN_TURN_BYTES = 512 * 1024
# The kernel's keep-alive of idle exchange connections is about a minute; ours must be shorter than theirs.
KEEPALIVE_S = 45
LONGEST_MESSAGE = 200
# Clocks differ by seconds, so that only a Date of longer ago tells of a cache.
DATE_TOLERANCE_MS = 10_000
# A number above this is a time in ms since 1970, in 2001 or later; as a wait it would be 31 years.
_LONG_AGO_MS = 1_000_000_000_000
_SECONDS = re.compile(r"[0-9]{1,9}")
_LIMIT_STATUSES = frozenset({418, 429})
_REFUSED_STATUSES = frozenset({401, 402, 403, 407, 451})
# Where providers put words in the place of data.
_WORDS = frozenset(
    ("detail", "details", "description", "error", "errors", "information", "message", "msg", "note", "notice", "reason")
)


@dataclass(frozen=True, slots=True)
class Answer:
    """
    Hold an answer with status 200 or another one that only the source can interpret.

    Attributes:
        body: Its parsed JSON; its text if the source reads the status itself and it is no JSON.
        wait_ms: How long its headers ask to wait, if they do.
        age_ms: For how long a cache before the provider had kept it, by its headers.
    """

    status: int
    body: object
    wait_ms: int | None = None
    age_ms: int = 0

    @property
    def fields(self) -> Mapping[str, Any]:
        """Return the body if it is a JSON object, else an empty one."""
        return self.body if isinstance(self.body, dict) else {}


def open_session(egress: Iterable[str] | None = None) -> aiohttp.ClientSession:
    """
    Return the session of all sources and streams: kept-alive connections, no cookies, no redirects, no proxies from
    the environment.

    `egress` are the hosts beyond this one that it may connect to; None for any.
    """
    return aiohttp.ClientSession(
        connector=EgressConnector(egress, limit=0, keepalive_timeout=KEEPALIVE_S, ttl_dns_cache=60),
        cookie_jar=aiohttp.DummyCookieJar(),
        trace_configs=[refusing_redirects()],
        headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
    )


class SourceClient:
    """
    Ask one provider.

    Args:
        base_url: Its address; None for its own.
        api_key: Our key, sent where the declaration says, in a header wherever the provider takes one.
        proxy: The HTTP proxy to reach it through; None to reach it directly.
        own_clock: What compares our clock with the `Date` of answers; None to have it compared with nothing.
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
        own_clock: OwnClock | None = None,
    ) -> None:
        self.source = declaration.name
        self._session = session
        self._declaration = declaration
        self._clock = clock
        self._base_url = (base_url or declaration.base_url).rstrip("/")
        self._timeout_ms = timeout_ms
        self._api_key = api_key
        self._proxy = proxy
        self._own_clock = own_clock
        self._reader: ThreadPoolExecutor | None = None
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
        most_bytes: int = LONGEST_BODY_BYTES,
    ) -> Answer:
        """
        Return the answer to a GET, also one of the statuses that the source `reads` itself, once `limiter` allows it.

        Raises SourceTimeout, SourceRateLimited (429, 418), AccessRefused (401, 402, 403, 407, 451), ProviderFault (no
        connection, a redirect, 5xx, a body of more than `most_bytes`), MalformedAnswer (a body that is not JSON), and
        as `limiter` does.
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
                now_ms = self._clock.time_ms()
                self._note_date(response.headers)
                wait = wait_ms(response.headers, self._declaration.reset_header, now_ms)
                age = age_ms(response.headers, now_ms)
                if response.status not in reads:
                    self._check_status(response, wait)
                body = await read_body(response, most_bytes)
        except TimeoutError:
            raise SourceTimeout(self.source, self._timeout_ms) from None
        except aiohttp.ClientError as error:
            # The text of some of these holds the URL, and the URL of some sources holds the key.
            raise ProviderFault(self.source, f"request failed: {in_words(error, self._base_url)}") from None
        if body is None:
            raise ProviderFault(self.source, f"an answer of more than {most_bytes} bytes")
        if response.status != 200 and not body and response.status not in reads:
            raise self.failed(response.status)
        try:
            found = await self._parsed(body)
        except ValueError:
            if response.status not in reads:
                raise self.malformed(f"HTTP {response.status} with a body that is not JSON") from None
            found = body.decode(errors="replace")
        return Answer(response.status, found, wait, age)

    def _note_date(self, headers: Mapping[str, str]) -> None:
        sent_ms = date_ms(headers.get("Date"))
        if self._own_clock is not None and sent_ms is not None and "Age" not in headers:
            self._own_clock.note_date(self.source, sent_ms)

    def limited(self, wait_ms: int | None = None) -> SourceRateLimited:
        """Return the error for a limit answer; without a wait of its own, or with none, for the declared cool-down."""
        return SourceRateLimited(self.source, bounded_ms(wait_ms, self._declaration.cool_down_ms))

    def refused(self, message: str) -> AccessRefused:
        """Return the error for a refusal of our key, of our plan or of our address."""
        return AccessRefused(self.source, self._presentable(message))

    def malformed(self, message: str) -> MalformedAnswer:
        """Return the error for an answer that is not what the provider documents."""
        return MalformedAnswer(self.source, self._presentable(message))

    def fault(self, message: str) -> ProviderFault:
        """Return the error for a fault that the provider reports."""
        return ProviderFault(self.source, self._presentable(message))

    def failed(self, status: int, detail: str = "") -> ProviderFault:
        """Return the error for a status that says that nothing comes: 4xx refuses what was asked, and no more."""
        message = self._presentable(f"HTTP {status}{detail and ', '}{detail}")
        return ProviderFault(self.source, message, refuses_question=400 <= status < 500)

    def without_data(self, answer: Answer, message: str) -> MeshError:
        """
        Return the error for an answer with status 200 that has no data; raise SourceRateLimited for a refusal.

        It is one if there are words in the place of the data, and in words that are new to us it counts as a limit:
        to ask less is never wrong.
        """
        told = any(
            key.lower() in _WORDS or key.lower().endswith(("message", "msg"))
            for key, value in answer.fields.items()
            if value and isinstance(value, str | dict | list)
        )
        if told:
            raise self.limited(answer.wait_ms)
        return self.malformed(message)

    def _presentable(self, message: str) -> str:
        """Return a message that may hold a provider's words: some of them repeat our key to us."""
        if self._api_key:
            message = message.replace(self._api_key, "***")
        return message[:LONGEST_MESSAGE]

    def _check_status(self, response: aiohttp.ClientResponse, wait: int | None) -> None:
        status = response.status
        if status in _LIMIT_STATUSES:
            raise self.limited(wait)
        if status in _REFUSED_STATUSES:
            raise self.refused(f"HTTP {status}")
        if 300 <= status < 400:
            # It is not followed, since our key would go with it, and whoever configures has to know where it leads.
            raise self.fault(f"HTTP {status}, which redirects to {_place(response)}")
        if status >= 500:
            raise ProviderFault(self.source, f"HTTP {status}")

    async def _parsed(self, body: bytes) -> object:
        if len(body) <= _LONGEST_IN_TURN_BYTES:
            return exact_json.loads(body)
        if self._reader is None:
            # One of its own, so that no other source waits for it.
            self._reader = ThreadPoolExecutor(1, f"{self.source}-reader")
        return await asyncio.get_running_loop().run_in_executor(self._reader, exact_json.loads, body)


def _place(response: aiohttp.ClientResponse) -> str:
    """Return where a redirect leads, without its query, which may hold our key."""
    told = response.headers.get("Location", "")
    return told.partition("?")[0].partition("#")[0] or "nowhere"


def wait_ms(headers: Mapping[str, str], reset_header: str, now_ms: int) -> int | None:
    """Return the wait that Retry-After or the provider's own header (ms, or a Unix time in ms) asks for, or None."""
    wait = retry_after_ms(headers, now_ms)
    text = headers.get(reset_header, "").strip()
    if wait is not None or not (text.isascii() and text.isdigit()):
        return wait
    number = int(text[:16])
    left_ms = number - now_ms if number > _LONG_AGO_MS else number
    return min(left_ms, LONGEST_MS) if left_ms > 0 else None


def age_ms(headers: Mapping[str, str], now_ms: int) -> int:
    """Return for how long a cache had kept an answer, by its Age, and by its Date where that is clearly in the past."""
    text = headers.get("Age", "").partition(",")[0].strip()
    seconds = _SECONDS.match(text)
    age = int(seconds[0]) * 1000 if seconds else 0
    sent_ms = date_ms(headers.get("Date"))
    since_ms = 0 if sent_ms is None else now_ms - sent_ms
    return max(age, since_ms if since_ms > DATE_TOLERANCE_MS else 0)
