"""Send the metrics to a receiver: the whole state at each push, one push at a time, retries within the interval."""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Final, Self, TypeAlias

import aiohttp
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from meshkit.clock import Clock
from meshkit.log import get_logger
from meshkit.metrics import CONTENT_TYPE
from services.metrics.config import PushConfig
from services.metrics.errors import PushRefused
from services.metrics.exposition import Sample, render

ATTEMPTS: Final = 3
FIRST_WAIT_S: Final = 0.2
LONGEST_WAIT_S: Final = 2.0

Collect: TypeAlias = Callable[[], Awaitable[list[Sample]]]

log = get_logger(__name__)


class Pusher:
    """
    Push metrics by HTTP PUT.

    PUT replaces the group at the receiver, so processes that are gone vanish there. Certificates are verified and
    redirects are not followed, since they could carry the credentials elsewhere.
    """

    def __init__(self, config: PushConfig, collect: Collect, clock: Clock) -> None:
        self._config = config
        self._collect = collect
        self._clock = clock
        self._lock = asyncio.Lock()
        self._session: aiohttp.ClientSession | None = None
        self.last_success_ms = 0
        self.failures = 0

    async def __aenter__(self) -> Self:
        headers = {**self._config.headers, "Content-Type": CONTENT_TYPE}
        if self._config.username is not None:
            headers["Authorization"] = aiohttp.encode_basic_auth(
                self._config.username, self._config.password or "", encoding="utf-8"
            )
        self._session = aiohttp.ClientSession(
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=self._config.timeout_ms / 1000),
        )
        if self._config.in_clear:
            log.warning("push_in_clear", url=self._config.url, advice="use https: credentials leave this host in clear")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def push(self) -> int:
        """Measure and send once, after any push under way; return the samples sent; raise PushRefused."""
        async with self._lock:
            samples = await self._collect()
            body = render(samples, self._config.labels).encode()
            try:
                async for attempt in AsyncRetrying(
                    sleep=self._clock.sleep,
                    retry=retry_if_exception(lambda error: isinstance(error, PushRefused) and error.worth_a_retry),
                    wait=wait_exponential_jitter(multiplier=FIRST_WAIT_S, max=LONGEST_WAIT_S, jitter=FIRST_WAIT_S),
                    stop=stop_after_attempt(ATTEMPTS),
                    reraise=True,
                ):
                    with attempt:
                        await self._put(body)
            except PushRefused:
                self.failures += 1
                raise
            self.last_success_ms = self._clock.time_ms()
            return len(samples)

    async def run(self) -> None:
        """Push for ever; an interval that a slow push has overrun is skipped, not caught up."""
        interval_s = self._config.interval_ms / 1000
        failing = False
        while True:
            begun_s = self._clock.monotonic()
            try:
                await self.push()
                if failing:
                    log.info("push_recovered")
                failing = False
            except PushRefused as error:
                # The first failure of a series is news; the others matter only to who looks closely.
                report = log.debug if failing else log.warning
                report("push_failed", error=str(error), failures=self.failures)
                failing = True
            spent_s = self._clock.monotonic() - begun_s
            await self._clock.sleep(interval_s - spent_s % interval_s)

    async def _put(self, body: bytes) -> None:
        if self._session is None:
            raise RuntimeError("the pusher is used outside its context")
        try:
            async with self._session.put(
                self._config.url, params={"ttl": self._config.ttl}, data=body, allow_redirects=False
            ) as response:
                if not 200 <= response.status < 300:
                    raise PushRefused(response.status, response.reason or "")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise PushRefused(0, str(error) or type(error).__name__) from error
