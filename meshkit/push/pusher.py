"""Send a process's metrics to a receiver: the whole state at each push, one at a time, retries within the interval."""

import asyncio
import gzip
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

import aiohttp
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from meshkit.clock import Clock
from meshkit.egress.connector import EgressConnector
from meshkit.http.retry_after import SHORTEST_MS, bounded_ms, retry_after_ms
from meshkit.log import get_logger
from meshkit.push import exposition
from meshkit.push.arrival import ArrivalCount
from meshkit.push.config import PushConfig, trusting
from meshkit.push.errors import TOO_MANY, UNSUPPORTED_ENCODING, PushRefused
from meshkit.push.page import Page, Render
from meshkit.push.requests import GROUP_GONE, Request, Requests

ATTEMPTS: Final = 3
FIRST_WAIT_S: Final = 0.2
LONGEST_WAIT_S: Final = 2.0
# After too many requests, where the receiver does not say how long to wait: longer with each in a row.
FIRST_SILENCE_MS: Final = 5_000
LONGEST_SILENCE_MS: Final = 600_000
# How often the receiver is asked what came, and after how many seconds; a database shows what it took a second later.
CHECK_EVERY_S: Final = 300.0
CHECK_AFTER_S: Final = (1.5, 3.0, 6.0)
# Who stops us waits for no receiver longer than this.
LAST_PUSH_S: Final = 2.0

_log = get_logger(__name__)


class Pusher:
    """
    Push what `render` makes.

    Certificates are verified and redirects are not followed, since they could carry the credentials elsewhere.

    Attributes:
        successes, failures: Pushes that were taken, and that were given up after all retries.
        last_success_ms: Unix time of the last push that was taken; 0 before the first.
        last_samples: How many samples that had.
        last_seconds: How long the last push took, taken or not.
        lost: How many samples of the last push that was checked the receiver does not have; None if it has not said.
    """

    def __init__(self, config: PushConfig, render: Render, clock: Clock) -> None:
        self._config = config
        self._render = render
        self._clock = clock
        self._lock = asyncio.Lock()
        self._requests = Requests(config)
        self._session: aiohttp.ClientSession | None = None
        self.successes = 0
        self.failures = 0
        self.last_success_ms = 0
        self.last_samples = 0
        self.last_seconds = 0.0
        self.lost: int | None = None
        self._gzip = config.gzip
        self._attempts = ATTEMPTS
        self._ends = False
        self._silent_until = float("-inf")
        self._refused_in_row = 0
        self._checked_at = float("-inf")
        self._sent: tuple[int, Sequence[Page]] = (0, ())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def push(self) -> int:
        """
        Measure and send once, after any push under way; return the samples sent; raise PushRefused.

        While the receiver has asked for silence nothing is sent, and that is a refusal as well. A page that the
        receiver cannot take keeps back no other.
        """
        async with self._lock:
            left_s = self._silent_until - self._clock.monotonic()
            if left_s > 0:
                raise PushRefused(TOO_MANY, "it asked us to wait", int(left_s * 1000) + 1)
            pages = await self._render()
            begun_s = self._clock.monotonic()
            try:
                samples = await self._send_pages(pages)
            except PushRefused as error:
                self.failures += 1
                self._heed(error)
                raise
            finally:
                self.last_seconds = self._clock.monotonic() - begun_s
            self._refused_in_row = 0
            self.successes += 1
            self.last_success_ms = self._clock.time_ms()
            self.last_samples = samples
            return samples

    async def check(self) -> int | None:
        """
        Ask the receiver what it has of the last push; return how many samples it lacks, None if it does not say.

        It is asked again after a while, as a database shows only later what it took.
        """
        self._checked_at = self._clock.monotonic()
        if self._config.kind == "text":
            return None
        time_ms, pages = self._sent
        for wait_s in CHECK_AFTER_S:
            await self._clock.sleep(wait_s)
            missing = await self._missing(time_ms, pages)
            if not missing:
                break
        lost = None if missing is None else missing.total()
        if lost and lost != self.lost:
            _log.warning("push_lost_samples", samples=lost, metrics=sorted(missing or ())[:10])
        self.lost = lost
        return lost

    async def run(self) -> None:
        """Push for ever; an interval that a slow push has overrun is skipped, not caught up."""
        interval_s = self._config.interval_ms / 1000
        failing = False
        while not self._ends:
            begun_s = self._clock.monotonic()
            try:
                await self.push()
                if failing:
                    _log.info("push_recovered")
                failing = False
                if begun_s - self._checked_at >= CHECK_EVERY_S:
                    await self.check()
            except PushRefused as error:
                # The first failure of a series is news; the others matter only to who looks closely.
                report = _log.debug if failing else _log.warning
                report("push_failed", error=str(error), said=error.detail, failures=self.failures)
                failing = True
            now = self._clock.monotonic()
            wait_s = interval_s - (now - begun_s) % interval_s
            await self._clock.sleep(max(wait_s, self._silent_until - now))

    async def finish(self) -> None:
        """Push a last time and take back what would stay for ever, within LAST_PUSH_S; nothing is pushed after it."""
        self._ends, self._attempts = True, 1
        try:
            async with asyncio.timeout(LAST_PUSH_S):
                await self._last_push()
                async with self._lock:
                    await self._take_back()
        except (PushRefused, TimeoutError) as error:
            _log.warning("last_push_failed", error=str(error) or type(error).__name__)

    async def _last_push(self) -> None:
        try:
            await self.push()
        except PushRefused as error:
            # What it has of the other pages, or of pushes before, is to go all the same.
            if not error.of_this_page:
                raise
            _log.warning("last_push_failed", error=str(error), said=error.detail)

    async def _take_back(self) -> None:
        """Take back each group and series; one that the receiver keeps holds back no other."""
        for request in self._requests.take_back(self._clock.time_ms()):
            try:
                await self._send(request)
            except PushRefused as error:
                if not error.answered:
                    raise
                _log.warning("not_taken_back", method=request.method, error=str(error), said=error.detail)

    async def _send_pages(self, pages: Sequence[Page]) -> int:
        samples, refused = 0, None
        time_ms = self._requests.moment(self._clock.time_ms())
        for page in pages:
            try:
                for request in await asyncio.to_thread(self._requests.of, page, time_ms):
                    await self._send_with_retries(request)
                self._requests.taken(page)
                samples += 0 if page.text is None else exposition.count(page.text)
            except PushRefused as error:
                if not error.of_this_page:
                    raise
                refused = refused or error
        if refused is not None:
            raise refused
        self._sent = (time_ms, pages)
        return samples

    async def _missing(self, time_ms: int, pages: Sequence[Page]) -> Counter[str] | None:
        arrival, config, missing = ArrivalCount(self._config, self._open()), self._config, Counter[str]()
        if config.kind == "pushgateway":
            for page in (page for page in pages if page.text is not None):
                found = await arrival.of_group(self._requests.group(page).labels)
                if found is None:
                    return None
                missing += exposition.by_name(page.text or b"", without={}) - found
            return missing
        found = await arrival.at(time_ms) if config.kind in ("victoriaMetrics", "remoteWrite") else None
        if found is None:
            return None
        for page in pages:
            missing += exposition.by_name(page.text or b"", without=config.labels)
        return missing - found

    def _heed(self, error: PushRefused) -> None:
        """Be silent for as long as the receiver asks, within bounds."""
        if error.answered != TOO_MANY and error.asked_wait_ms is None:
            return
        usual_ms = FIRST_SILENCE_MS * 2 ** min(self._refused_in_row, 16)
        self._refused_in_row += 1
        wait_ms = min(max(bounded_ms(error.asked_wait_ms, usual_ms), SHORTEST_MS), LONGEST_SILENCE_MS)
        self._silent_until = self._clock.monotonic() + wait_ms / 1000

    async def _send_with_retries(self, request: Request) -> None:
        async for attempt in AsyncRetrying(
            sleep=self._clock.sleep,
            retry=retry_if_exception(lambda error: isinstance(error, PushRefused) and error.worth_a_retry),
            wait=wait_exponential_jitter(multiplier=FIRST_WAIT_S, max=LONGEST_WAIT_S, jitter=FIRST_WAIT_S),
            stop=stop_after_attempt(self._attempts),
            reraise=True,
        ):
            with attempt:
                await self._send(request)

    async def _send(self, request: Request) -> None:
        compressed = self._gzip and request.compressible
        try:
            await self._exchange(request, compressed)
        except PushRefused as error:
            if not compressed or error.answered != UNSUPPORTED_ENCODING:
                raise
            self._gzip = False
            await self._exchange(request, compressed=False)

    def _open(self) -> aiohttp.ClientSession:
        """Return the session, made at its first use: a file of authorities that comes late is no reason to end."""
        if self._session is None:
            headers = dict(self._config.headers)
            if self._config.username is not None:
                headers["Authorization"] = aiohttp.encode_basic_auth(
                    self._config.username, self._config.password or "", encoding="utf-8"
                )
            self._session = aiohttp.ClientSession(
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=self._config.timeout_ms / 1000),
                connector=EgressConnector(self._config.egress, ssl=trusting(self._config.ca_file)),
            )
        return self._session

    async def _exchange(self, request: Request, compressed: bool) -> None:
        body, headers = request.body, request.headers
        if compressed:
            body = await asyncio.to_thread(gzip.compress, body, 3)
            headers = {**headers, "Content-Encoding": "gzip"}
        try:
            async with self._open().request(
                request.method, request.address, params=request.query, data=body, headers=headers, allow_redirects=False
            ) as response:
                if 200 <= response.status < 300 or (request.method, response.status) == GROUP_GONE:
                    return
                asked_ms = retry_after_ms(response.headers, self._clock.time_ms())
                said = (await response.content.read(300)).decode(errors="replace").strip()
                if 300 <= response.status < 400:
                    said = f"it moves us to {response.headers.get('Location', 'nowhere')!r}, which is not followed"
                raise PushRefused(response.status, said or response.reason or "", asked_ms)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise PushRefused(0, str(error) or type(error).__name__) from error
