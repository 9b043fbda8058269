"""One connection kept up for ever: reconnected after a wait that grows, renewed before the provider ends it."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable

from meshkit.clock import Clock
from meshkit.log import get_logger
from services.aggregator.streams.errors import StreamDown
from services.aggregator.streams.session import Session
from services.aggregator.streams.subscriptions import Rejections

_log = get_logger(__name__)

LONGEST_WAIT_S = 60.0
# A provider that refuses us is asked again seldom: it is a person who has to do something.
REFUSED_WAIT_S = 60.0
LONGEST_REFUSED_WAIT_S = 600.0
# A connection that lasted this long was a good one: the next failure is a first one.
STABLE_S = 30.0
# How long a new connection may take to subscribe to everything before the old one is given up for it.
HANDOVER_S = 20.0
_RENEWAL_RETRY_S = 60.0


def backoff_s(failures: int, first_s: float, share: float, longest_s: float = LONGEST_WAIT_S) -> float:
    """
    Return how long to wait before the next connect after so many failures in a row.

    It doubles from `first_s`, plus up to a quarter as `share` from 0 to 1 says, so that many clients do not come back
    at once. It is at most `longest_s`, and never under `first_s`.
    """
    wait_s = first_s * 2.0 ** min(failures - 1, 16)
    return max(min(wait_s, longest_s * 0.8) * (1.0 + share / 4), first_s)


def next_wait_s(down: StreamDown, failures: int, first_s: float, share: float) -> float:
    """Return how long to wait before the next connect, after what has happened and so many failures in a row."""
    if down.is_standing:
        return backoff_s(failures, max(first_s, REFUSED_WAIT_S), share, LONGEST_REFUSED_WAIT_S)
    return max(backoff_s(failures, first_s, share), down.wait_s)


class Connection:
    """
    Hold one place for a socket.

    Args:
        open_session: Connect; raises StreamDown.
        first_wait_s: How long to wait after the first failure.
        lifetime_s: When to renew the connection; None for never.
        overlaps: Whether the new connection may be opened while the old one still stands.
        reconnects: False to stay down after the first disconnect.
        on_reconnect: Called with the reason of each reconnect and renewal.
        on_state: Called when the connection comes up or goes down.
    """

    def __init__(
        self,
        source: str,
        open_session: Callable[[], Awaitable[Session]],
        clock: Clock,
        rejections: Rejections,
        *,
        first_wait_s: float,
        lifetime_s: float | None,
        overlaps: bool,
        reconnects: bool,
        on_reconnect: Callable[[str], None],
        on_state: Callable[[bool], None],
    ) -> None:
        self.symbols: dict[str, None] = {}
        self.connected = False
        self._source = source
        self._open_session = open_session
        self._clock = clock
        self._rejections = rejections
        self._first_wait_s = first_wait_s
        self._lifetime_s = lifetime_s
        self._overlaps = overlaps
        self._reconnects = reconnects
        self._on_reconnect = on_reconnect
        self._on_state = on_state
        self._sessions: set[Session] = set()
        self._some_wanted = asyncio.Event()

    def want(self, symbols: Iterable[str]) -> None:
        """Replace the symbols; the one truth that every new socket subscribes to."""
        self.symbols = dict.fromkeys(symbols)
        if self.symbols:
            self._some_wanted.set()
        else:
            self._some_wanted.clear()
        for session in self._sessions:
            session.want(self.symbols)

    async def run(self) -> None:
        """Keep the connection up while something is wanted, until cancelled."""
        failures, told = 0, ("", "")
        while True:
            await self._some_wanted.wait()
            opened_at = self._clock.monotonic()
            if all(self._rejections.covers(symbol, opened_at) for symbol in self.symbols):
                await self._clock.sleep(self._first_wait_s)
                continue
            try:
                await self._live()
                continue
            except StreamDown as error:
                down = error
            except Exception as error:
                # A defect of ours must not end the stream for ever.
                _log.exception("stream_crashed", source=self._source)
                down = StreamDown("crashed", type(error).__name__)
            lived_s = self._clock.monotonic() - opened_at
            failures = 1 if lived_s >= STABLE_S else failures + 1
            wait_s = next_wait_s(down, failures, self._first_wait_s, random.random())  # noqa: S311
            # What goes on as it was is no news.
            report = _log.debug if (down.reason, down.detail) == told and lived_s < STABLE_S else _log.warning
            told = (down.reason, down.detail)
            report(
                "stream_down", source=self._source, reason=down.reason, detail=down.detail, lived_s=round(lived_s, 1),
                wait_s=round(wait_s, 1) if self._reconnects else None,
            )  # fmt: skip
            if not self._reconnects:
                return
            await self._clock.sleep(wait_s)
            self._on_reconnect(down.reason)

    async def _live(self) -> None:
        """Use one socket after the other without a gap; return when nothing is wanted, raise StreamDown at the end."""
        session = await self._open()
        running = asyncio.create_task(session.run())
        self._set_connected(True)
        try:
            while True:
                if await self._end_or_renewal(session, running):
                    return running.result()
                if not self._overlaps:
                    raise StreamDown("renewal", "the provider asked for it")
                renewed = await self._renew()
                if renewed is not None:
                    self._drop(session)
                    await _stop(running)
                    session, running = renewed
                    self._on_reconnect("renewal")
        finally:
            self._set_connected(False)
            self._drop(session)
            await _stop(running)

    async def _end_or_renewal(self, session: Session, running: asyncio.Task[None]) -> bool:
        """Return True when the session has ended, False when it is time for a new one."""
        left_s = None if self._lifetime_s is None else self._lifetime_s - session.age_s
        if left_s is not None and left_s <= 0:
            left_s = _RENEWAL_RETRY_S  # the last renewal failed
        leaving = asyncio.create_task(session.leaving.wait())
        try:
            await asyncio.wait({running, leaving}, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
        session.leaving.clear()
        return running.done()

    async def _renew(self) -> tuple[Session, asyncio.Task[None]] | None:
        """Return a new session that has subscribed to everything, None if there is none; the old one goes on."""
        try:
            session = await self._open()
        except StreamDown as down:
            _log.warning("stream_not_renewed", source=self._source, reason=down.reason, detail=down.detail)
            return None
        running = asyncio.create_task(session.run())
        deadline = self._clock.monotonic() + HANDOVER_S
        try:
            while not session.is_complete and not running.done() and self._clock.monotonic() < deadline:
                await self._clock.sleep(0.05)
        except asyncio.CancelledError:
            await _stop(running)
            raise
        if not running.done():
            return session, running
        self._drop(session)
        running.exception()
        return None

    async def _open(self) -> Session:
        session = await self._open_session()
        self._sessions.add(session)
        session.want(self.symbols)
        return session

    def _drop(self, session: Session) -> None:
        self._sessions.discard(session)

    def _set_connected(self, connected: bool) -> None:
        if connected != self.connected:
            self.connected = connected
            self._on_state(connected)


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
