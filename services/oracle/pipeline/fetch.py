"""HTTP for tasks: the requests a Chainlink node makes, with its limits."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import aiohttp

from services.oracle.pipeline.errors import TaskError

_USER_AGENT = "Go-http-client/1.1"


@dataclass(frozen=True, slots=True)
class Answer:
    """Hold an HTTP answer, its body cut at the size limit."""

    status: int
    body: str


class Fetcher:
    """
    Send the requests of bridge and http tasks.

    `bridge_url` finds a bridge's URL by its name; `max_bytes` cuts bodies silently, as the node does; answers of
    bridges are kept as a fallback for tasks with a cacheTTL.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        bridge_url: Callable[[str], str | None],
        *,
        default_timeout_s: float,
        max_bytes: int,
        bridge_cache_ttl_s: float = 0.0,
    ) -> None:
        self._session = session
        self._bridge_url = bridge_url
        self.default_timeout_s = default_timeout_s
        self.bridge_cache_ttl_s = bridge_cache_ttl_s
        self._max_bytes = max_bytes
        self._last_good: dict[tuple[str, str], tuple[float, str]] = {}

    def bridge(self, name: str) -> str:
        """Return the URL of a bridge; TaskError if there is none."""
        url = self._bridge_url(name)
        if url is None:
            raise TaskError(f"could not find bridge with name '{name}'")
        return url

    async def send(
        self, method: str, url: str, body: bytes | None, headers: Sequence[str], timeout_s: float | None
    ) -> Answer:
        """Send a request; TaskError if no answer came in time."""
        sent = {"User-Agent": _USER_AGENT}
        if body is not None:
            sent["Content-Type"] = "application/json"
        sent |= dict(zip(headers[::2], headers[1::2], strict=True))
        try:
            async with (
                asyncio.timeout(timeout_s),
                self._session.request(
                    method, url, data=body, headers=sent, skip_auto_headers=("Accept-Encoding", "Accept")
                ) as response,
            ):
                read = bytearray()
                async for chunk in response.content.iter_chunked(16384):
                    read += chunk
                    if len(read) >= self._max_bytes:
                        break
                return Answer(response.status, bytes(read[: self._max_bytes]).decode("utf-8", "replace"))
        except TimeoutError as error:
            raise TaskError("http request timed out or interrupted") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise TaskError(f"error making http request: {error}") from error

    def remember(self, bridge: str, request: str, body: str) -> None:
        """Keep the last good answer of a bridge to a request."""
        self._last_good[bridge, request] = (time.monotonic(), body)

    def recall(self, bridge: str, request: str, max_age_s: float) -> str | None:
        """Return the last good answer if it is not older than that, else None."""
        held = self._last_good.get((bridge, request))
        return held[1] if held and time.monotonic() - held[0] <= max_age_s else None


def json_headers(names_and_values: object) -> Sequence[str]:
    """Check the `headers` attribute: a list of even length of texts; TaskError if it is none."""
    if (
        not isinstance(names_and_values, list)
        or len(names_and_values) % 2
        or not all(isinstance(item, str) for item in names_and_values)
    ):
        raise TaskError("headers must have an even number of texts")
    return names_and_values
