"""
Send a process's metrics to a receiver: the whole state at each push, one at a time, retries within the interval.

MeshError
└── Unavailable
    └── PushRefused   the receiver did not take the metrics
"""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Literal, Self, TypeAlias

import aiohttp
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from meshkit.clock import Clock
from meshkit.configuration.aggregator import MetricsPush
from meshkit.egress.connector import EgressConnector
from meshkit.egress.hosts import hosts_of
from meshkit.errors import InvalidInput, Unavailable
from meshkit.log import get_logger
from meshkit.metrics import CONTENT_TYPE
from meshkit.resolver import HostResolver
from meshkit.retry_after import SHORTEST_MS, bounded_ms, retry_after_ms

ATTEMPTS: Final = 3
FIRST_WAIT_S: Final = 0.2
LONGEST_WAIT_S: Final = 2.0
# After too many requests, where the receiver does not say how long to wait: longer with each in a row.
FIRST_SILENCE_MS: Final = 5_000
LONGEST_SILENCE_MS: Final = 600_000
TOO_MANY: Final = 429
TTL_LABEL: Final = "ttl"
_LABEL_NAME: Final = re.compile("[a-zA-Z_][a-zA-Z0-9_]*")

Render: TypeAlias = Callable[[Mapping[str, str]], Awaitable[bytes]]

_log = get_logger(__name__)


class PushRefused(Unavailable):
    """
    Say that the receiver did not take the metrics; `answered` is its HTTP status, 0 if there was no answer.

    `asked_wait_ms` is how long it asks to wait, None if it does not say.
    """

    reason = "PUSH_REFUSED"

    def __init__(self, answered: int, detail: str, asked_wait_ms: int | None = None) -> None:
        super().__init__(
            f"the receiver answered HTTP {answered}" if answered else f"the receiver was not reached: {detail}"
        )
        self.answered = answered
        self.asked_wait_ms = asked_wait_ms

    @property
    def worth_a_retry(self) -> bool:
        """Tell whether the same push may be taken in a moment: no answer, or a fault of the receiver without a wait."""
        return self.asked_wait_ms is None and (self.answered in (0, 408) or self.answered >= 500)


@dataclass(frozen=True, slots=True)
class PushConfig:
    """
    Hold where and how to push; headers and password are secrets.

    Attributes:
        labels: Added to every sample.
        method: PUT replaces the group at receivers that know groups; POST is what importers of samples take.
        ttl: Seconds for the query's `ttl`, which tells a receiver how long to keep the series; None for no such query.
        batch_size: The most samples of one request; None to send all in one, as replacing a group demands.
        egress: The hosts that it may go to, besides this one; None for any.
    """

    url: str
    interval_ms: int
    timeout_ms: int
    labels: Mapping[str, str]
    method: Literal["PUT", "POST"] = "PUT"
    ttl: str | None = None
    batch_size: int | None = None
    egress: frozenset[str] | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def read(
    section: MetricsPush | None,
    place: str,
    method: Literal["PUT", "POST"],
    *,
    ttl_s: int | None = None,
    egress: Iterable[str] | None = None,
) -> PushConfig | None:
    """
    Return the push that a section of the configuration asks for, None if it does not.

    `egress` are the hosts that the push may go to; None for the receiver's own only.
    Raises InvalidInput for a grouping label that Prometheus would refuse, naming the section's `place`.
    """
    if section is None or not section.enabled:
        return None
    if section.url is None:  # the model refuses this; the type checker cannot know
        raise InvalidInput(f"{place}.url", None, "an http or https address when enabled is true")
    for name in section.grouping_labels:
        if not _LABEL_NAME.fullmatch(name) or name.startswith("__"):
            raise InvalidInput(f"{place}.groupingLabels", name, f"names that match {_LABEL_NAME.pattern}")
    own = {"job": section.job_name, "instance": socket.gethostname()}
    labels = own | ({} if ttl_s is None else {TTL_LABEL: str(ttl_s)}) | section.grouping_labels
    return PushConfig(
        url=section.url,
        interval_ms=section.interval_ms,
        timeout_ms=section.timeout_ms,
        labels=labels,
        method=method,
        ttl=None if ttl_s is None else labels[TTL_LABEL],
        batch_size=section.batch_size if method == "POST" else None,
        egress=hosts_of([section.url]) if egress is None else frozenset(egress),
        username=section.basic_auth.username if section.basic_auth else None,
        password=section.basic_auth.password.get_secret_value() if section.basic_auth else None,
        headers={name: value.get_secret_value() for name, value in section.headers.items()},
    )


class Pusher:
    """
    Push what `render` makes with the labels it is given, Prometheus text.

    Certificates are verified and redirects are not followed, since they could carry the credentials elsewhere.
    """

    def __init__(self, config: PushConfig, render: Render, clock: Clock) -> None:
        self._config = config
        self._render = render
        self._clock = clock
        self._lock = asyncio.Lock()
        self._session: aiohttp.ClientSession | None = None
        self.last_success_ms = 0
        self.failures = 0
        self._silent_until = float("-inf")
        self._refused_in_row = 0

    async def __aenter__(self) -> Self:
        headers = {**self._config.headers, "Content-Type": CONTENT_TYPE}
        if self._config.username is not None:
            headers["Authorization"] = aiohttp.encode_basic_auth(
                self._config.username, self._config.password or "", encoding="utf-8"
            )
        self._session = aiohttp.ClientSession(
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=self._config.timeout_ms / 1000),
            connector=EgressConnector(self._config.egress, resolver=HostResolver()),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def push(self) -> int:
        """
        Measure and send once, after any push under way; return the samples sent; raise PushRefused.

        While the receiver has asked for silence nothing is sent, and that is a refusal as well.
        """
        async with self._lock:
            left_s = self._silent_until - self._clock.monotonic()
            if left_s > 0:
                raise PushRefused(TOO_MANY, "it asked us to wait", int(left_s * 1000) + 1)
            body = await self._render(self._config.labels)
            try:
                for part in _parts(body, self._config.batch_size):
                    await self._send_with_retries(part)
            except PushRefused as error:
                self.failures += 1
                self._heed(error)
                raise
            self._refused_in_row = 0
            self.last_success_ms = self._clock.time_ms()
            return sum(not line.startswith(b"#") for line in body.splitlines())

    async def run(self) -> None:
        """Push for ever; an interval that a slow push has overrun is skipped, not caught up."""
        interval_s = self._config.interval_ms / 1000
        failing = False
        while True:
            begun_s = self._clock.monotonic()
            try:
                await self.push()
                if failing:
                    _log.info("push_recovered")
                failing = False
            except PushRefused as error:
                # The first failure of a series is news; the others matter only to who looks closely.
                report = _log.debug if failing else _log.warning
                report("push_failed", error=str(error), failures=self.failures)
                failing = True
            now = self._clock.monotonic()
            wait_s = interval_s - (now - begun_s) % interval_s
            await self._clock.sleep(max(wait_s, self._silent_until - now))

    def _heed(self, error: PushRefused) -> None:
        """Be silent for as long as the receiver asks, within bounds."""
        if error.answered != TOO_MANY and error.asked_wait_ms is None:
            return
        usual_ms = FIRST_SILENCE_MS * 2 ** min(self._refused_in_row, 16)
        self._refused_in_row += 1
        wait_ms = min(max(bounded_ms(error.asked_wait_ms, usual_ms), SHORTEST_MS), LONGEST_SILENCE_MS)
        self._silent_until = self._clock.monotonic() + wait_ms / 1000

    async def _send_with_retries(self, body: bytes) -> None:
        async for attempt in AsyncRetrying(
            sleep=self._clock.sleep,
            retry=retry_if_exception(lambda error: isinstance(error, PushRefused) and error.worth_a_retry),
            wait=wait_exponential_jitter(multiplier=FIRST_WAIT_S, max=LONGEST_WAIT_S, jitter=FIRST_WAIT_S),
            stop=stop_after_attempt(ATTEMPTS),
            reraise=True,
        ):
            with attempt:
                await self._send(body)

    async def _send(self, body: bytes) -> None:
        if self._session is None:
            raise RuntimeError("the pusher is used outside its context")
        query = {} if self._config.ttl is None else {TTL_LABEL: self._config.ttl}
        try:
            async with self._session.request(
                self._config.method, self._config.url, params=query, data=body, allow_redirects=False
            ) as response:
                if not 200 <= response.status < 300:
                    asked_ms = retry_after_ms(response.headers, self._clock.time_ms())
                    raise PushRefused(response.status, response.reason or "", asked_ms)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise PushRefused(0, str(error) or type(error).__name__) from error


def _parts(body: bytes, most: int | None) -> Iterator[bytes]:
    """Yield the metrics in parts of so many samples, each with what is said of its own metrics before them."""
    if most is None:
        yield body
        return
    said: list[bytes] = []
    lines: list[bytes] = []
    count = 0
    begins = True
    for line in body.splitlines(keepends=True):
        if line.startswith(b"#"):
            # The first words on a metric end those on the one before.
            said = [*([] if begins else said), line]
            begins = False
            lines.append(line)
            continue
        if count == most:
            yield b"".join(lines)
            lines, count = list(said), 0
        lines.append(line)
        count += 1
        begins = True
    if lines:
        yield b"".join(lines)
