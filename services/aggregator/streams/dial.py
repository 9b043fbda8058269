"""Open the WebSocket of a source: address, key, token, proxy, and no faster than the provider allows."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import aiohttp

from meshkit.clock import Clock
from meshkit.http.failure_words import in_words
from meshkit.http.retry_after import retry_after_ms
from services.aggregator.sources import shapes
from services.aggregator.sources.body import read_body
from services.aggregator.sources.redirects import RedirectRefused
from services.aggregator.streams.errors import StreamDown
from services.aggregator.streams.protocol import Rules, parse
from services.aggregator.streams.send_rate import Pace
from services.aggregator.streams.settings import StreamConfig

HANDSHAKE_S = 10.0
# A socket that no longer answers must not be waited for when it is closed.
CLOSE_S = 1.0
# The longest known message, a snapshot of 100 tickers, has some 30 kB.
LONGEST_MESSAGE_BYTES = 1024 * 1024
LONGEST_TOKEN_BYTES = 64 * 1024
# A provider may ask for other pings than documented, within reason.
_SHORTEST_PING_S, _LONGEST_PING_S = 1.0, 60.0
_REFUSED_STATUSES = frozenset({401, 403, 407, 451})


@dataclass(frozen=True, slots=True)
class Line:
    """Hold an open WebSocket and how often the provider wants to be pinged, None for as the rules say."""

    ws: aiohttp.ClientWebSocketResponse
    ping_s: float | None = None
    silence_s: float | None = None


class Dialer:
    """Open connections to one provider."""

    def __init__(self, session: aiohttp.ClientSession, rules: Rules, config: StreamConfig, clock: Clock) -> None:
        self._session = session
        self._rules = rules
        self._config = config
        self._clock = clock
        self._pace = Pace(rules.connect_gap_s)
        self._count = 0

    async def dial(self) -> Line:
        """Return an open WebSocket; raise StreamDown."""
        now = self._clock.monotonic()
        wait_s = self._pace.wait_s(now)
        # Taken before the wait, so that those who dial at once get one moment each.
        self._pace.spend(now + wait_s)
        await self._clock.sleep(wait_s)
        try:
            async with asyncio.timeout(HANDSHAKE_S):
                url, ping_s, silence_s = await self._target()
                ws = await self._session.ws_connect(
                    url,
                    proxy=self._config.proxy,
                    autoping=False,
                    max_msg_size=LONGEST_MESSAGE_BYTES,
                    timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_S),
                )
        except TimeoutError:
            raise StreamDown("refused", f"no handshake within {HANDSHAKE_S:g} s") from None
        except aiohttp.WSServerHandshakeError as error:
            raise self._refused("refused", error.status, error.headers or {}) from None
        except RedirectRefused as error:
            raise StreamDown("refused", str(error)) from None
        except (aiohttp.ClientError, OSError) as error:
            raise StreamDown("refused", in_words(error, self._config.ws_url or self._config.base_url or "")) from None
        except ValueError as error:
            # Its text may hold the URL, and that the key.
            raise StreamDown("refused", type(error).__name__) from None
        return Line(ws, ping_s, silence_s)

    async def _target(self) -> tuple[str, float | None, float | None]:
        rules, config = self._rules, self._config
        url = address(rules, config.ws_url, config.base_url)
        if rules.key_parameter and config.api_key:
            url = with_query(url, {rules.key_parameter: config.api_key})
        if not rules.token_path:
            return url, None, None
        self._count += 1
        endpoint, token, ping_s, silence_s = await self._token()
        if config.ws_url is None:
            url = endpoint
        return with_query(url, {"token": token, "connectId": str(self._count)}), ping_s, silence_s

    async def _token(self) -> tuple[str, str, float, float]:
        url = (self._config.base_url or "").rstrip("/") + self._rules.token_path
        async with self._session.post(url, proxy=self._config.proxy, allow_redirects=False) as response:
            body = await read_body(response, LONGEST_TOKEN_BYTES)
        if response.status != 200:
            raise self._refused("token", response.status, response.headers)
        try:
            data = shapes.record(shapes.record(parse((body or b"").decode()), "answer").get("data"), "data")
            server = shapes.record(
                next(iter(shapes.rows(data.get("instanceServers"), "instanceServers")), None), "server"
            )
            endpoint, token = shapes.text(server, "endpoint"), shapes.text(data, "token")
            ping_s = min(max(shapes.time_ms(server, "pingInterval") / 1000, _SHORTEST_PING_S), _LONGEST_PING_S)
            silence_s = ping_s + min(
                max(shapes.time_ms(server, "pingTimeout") / 1000, _SHORTEST_PING_S), _LONGEST_PING_S
            )
        except ValueError as error:
            raise StreamDown("token", f"no token: {error}") from None
        return endpoint, token, ping_s, silence_s

    def _refused(self, reason: str, status: int, headers: Mapping[str, str]) -> StreamDown:
        asked_ms = retry_after_ms(headers, self._clock.time_ms())
        is_standing = status in _REFUSED_STATUSES
        return StreamDown(reason, f"HTTP {status}", wait_s=(asked_ms or 0) / 1000, is_standing=is_standing)


def address(rules: Rules, ws_url: str | None, base_url: str | None) -> str:
    """Return the address of a stream: the set one, completed by the provider's path, else that of the REST's region."""
    host = urlsplit(base_url or "").hostname or ""
    default = rules.regions.get(host, rules.url)
    if ws_url is None:
        return default
    parts = urlsplit(ws_url)
    return urlunsplit(parts._replace(path=urlsplit(default).path)) if parts.path in ("", "/") else ws_url


def with_query(url: str, parameters: Mapping[str, str]) -> str:
    """Return an address with these query parameters set."""
    parts = urlsplit(url)
    query = {**dict(parse_qsl(parts.query)), **parameters}
    return urlunsplit(parts._replace(path=parts.path or "/", query=urlencode(query)))
