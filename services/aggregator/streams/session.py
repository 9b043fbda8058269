"""One open WebSocket: what it receives becomes events, what is wanted becomes messages, silence ends it."""

import asyncio
from collections.abc import Callable, Iterable
from itertools import count

import aiohttp

from meshkit.clock import Clock
from meshkit.log import get_logger
from services.aggregator.prices.quote import Tick
from services.aggregator.streams.dial import Line
from services.aggregator.streams.errors import StreamDown
from services.aggregator.streams.processor_time import ProcessorTime
from services.aggregator.streams.protocol import (
    Complaint,
    Confirmed,
    Dialect,
    Event,
    Failed,
    Halt,
    Leave,
    Odd,
    Ping,
    Price,
    Rejected,
    Welcome,
    parse,
)
from services.aggregator.streams.send_rate import Pace
from services.aggregator.streams.subscriptions import Subscriptions, Verb
from services.aggregator.streams.waiting_frames import Frame, WaitingFrames

_log = get_logger(__name__)

# How long the writer sleeps at most; overdue answers are noticed this late.
STEP_S = 1.0
_IN_A_ROW = 64
# So many are read before whatever else waits has its turn.
_TOGETHER = 16
# So many messages may wait for being read: more than there are markets on a connection.
_MOST_WAITING = 2_000
_MESSAGES = (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY)


class Session:
    """
    Use one WebSocket until it ends.

    Args:
        pace: How fast messages may be sent.
        ping: How to ping; None where only the provider does.
        processor: How much of the processor's time the messages may take.
        on_price: Called with each price's symbol and tick, and when it came, Unix milliseconds.
        on_halt: Called with the symbol and the status of a market that is halted, or trades again.
        on_message: Called for each message, with what of it could not be read, if anything.
        on_superseded: Called for each message that is not read, as a newer one took its place.

    Attributes:
        leaving: Set when the provider announces the end of the connection.
    """

    def __init__(
        self,
        line: Line,
        dialect: Dialect,
        subscriptions: Subscriptions,
        clock: Clock,
        *,
        pace: Pace,
        ping: Ping | None,
        processor: ProcessorTime,
        on_price: Callable[[str, Tick, int], None],
        on_halt: Callable[[str, str], None],
        on_message: Callable[[str | None], None],
        on_superseded: Callable[[], None],
    ) -> None:
        self.leaving = asyncio.Event()
        self._ws = line.ws
        self._dialect = dialect
        self._subscriptions = subscriptions
        self._clock = clock
        self._pace = pace
        self._ping = ping
        self._silence_s = line.silence_s or dialect.RULES.silence_s
        self._processor = processor
        self._on_price = on_price
        self._on_halt = on_halt
        self._on_message = on_message
        self._on_superseded = on_superseded
        self._welcomed = not dialect.RULES.welcomes
        self._changed = asyncio.Event()
        self._frames = WaitingFrames(dialect.RULES.price_frame)
        self._some_read = asyncio.Event()
        self._reading: asyncio.Handle | None = None
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._opened_at = self._heard_at = self._pinged_at = self._priced_at = clock.monotonic()

    @property
    def age_s(self) -> float:
        """Return how long the socket has been open."""
        return self._clock.monotonic() - self._opened_at

    @property
    def is_complete(self) -> bool:
        """Tell whether all that is wanted is subscribed."""
        return self._welcomed and self._subscriptions.is_complete(self._clock.monotonic())

    def want(self, symbols: Iterable[str]) -> None:
        """Replace the wanted symbols; the provider hears of it as soon as its message rate allows."""
        self._subscriptions.want(symbols)
        self._changed.set()

    async def run(self) -> None:
        """Receive and send; return when nothing is wanted any more, raise StreamDown when the connection ends."""
        tasks = [asyncio.create_task(each) for each in (self._receive(), self._send(), self._watch())]
        try:
            done, _ = await asyncio.wait([*tasks, self._failed], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except (aiohttp.ClientError, OSError) as error:
            raise StreamDown("closed", type(error).__name__) from None
        finally:
            if self._reading is not None:
                self._reading.cancel()
            self._failed.cancel()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._close()

    async def _close(self) -> None:
        try:
            await self._ws.close()
        except (aiohttp.ClientError, OSError) as error:
            _log.debug("stream_not_closed", error=type(error).__name__)

    async def _receive(self) -> None:
        for number in count(1):
            # Without a time-out here: one a message would cost as much as reading it.
            message = await self._ws.receive()
            # What has come already is received without a wait, and a flood must not hold up all others.
            if number % _IN_A_ROW == 0:
                await asyncio.sleep(0)
            if message.type in _MESSAGES:
                self._heard_at = self._clock.monotonic()
                if self._frames.put(Frame(message.data, self._heard_at, self._clock.time_ms())):
                    self._on_superseded()
                if self._reading is None:
                    # What has come already is taken off the socket first.
                    self._reading = asyncio.get_running_loop().call_soon(self._read_some)
                while len(self._frames) >= _MOST_WAITING:
                    self._some_read.clear()
                    await self._some_read.wait()
            elif message.type is aiohttp.WSMsgType.PING:
                self._heard_at = self._clock.monotonic()
                self._pace.spend(self._heard_at)
                await self._ws.pong(message.data)
            # A pong of the protocol may come from a machine before the provider's, so it is no sign of life.
            elif message.type is not aiohttp.WSMsgType.PONG:
                # What was said before the end may be the reason for it.
                for frame in self._frames.drain():
                    self._read(frame)
                raise StreamDown("closed", f"code {self._ws.close_code}")

    def _read_some(self) -> None:
        """Read what has come, a few messages at a time and within the processor's time that there is for them."""
        self._some_read.set()
        loop, wait_s = asyncio.get_running_loop(), 0.0
        for _ in range(_TOGETHER):
            if wait_s > 0 or (frame := self._frames.pop()) is None:
                break
            began_at = self._clock.monotonic()
            try:
                self._read(frame)
            except StreamDown as down:
                if not self._failed.done():
                    self._failed.set_exception(down)
                return
            now = self._clock.monotonic()
            wait_s = self._processor.spend(now - began_at, now)
        # Meanwhile newer prices take the places of those that wait.
        self._reading = loop.call_later(wait_s, self._read_some) if wait_s > 0 or self._frames else None

    async def _watch(self) -> None:
        while (left_s := self._heard_at + self._silence_s - self._clock.monotonic()) > 0:
            await self._clock.sleep(left_s)
        raise StreamDown("silent", f"no message for {self._silence_s:g} s")

    def _read(self, frame: Frame) -> None:
        odd = None
        try:
            text = frame.data if isinstance(frame.data, str) else bytes(frame.data).decode()
            for event in self._dialect.read(parse(text)):
                odd = self._take(event, frame.heard_ms) or odd
            self._subscriptions.hear(frame.heard_at)
        except StreamDown:
            raise
        except ValueError as error:
            odd = str(error)
        except Exception as error:
            # A defect of ours in reading what a provider says must cost the message, and no other.
            _log.exception("stream_message_crashed", source=self._dialect.RULES.source)
            odd = type(error).__name__
        self._on_message(odd)

    def _take(self, event: Event, heard_ms: int) -> str | None:
        """Do what follows from an event, and return what of it could not be read; raise StreamDown for an error."""
        source, now = self._dialect.RULES.source, self._clock.monotonic()
        match event:
            case Price(symbol, tick):
                self._priced_at = now
                self._subscriptions.confirm(symbol)
                self._on_price(symbol, tick, heard_ms)
            case Confirmed(symbol, request_id):
                if symbol:
                    self._subscriptions.confirm(symbol)
                if request_id:
                    self._subscriptions.confirm_request(request_id)
            case Rejected(symbol, reason, alone):
                if self._subscriptions.reject(symbol, now, alone=alone):
                    _log.warning("stream_symbol_rejected", source=source, symbol=symbol, reason=reason)
                self._changed.set()
            case Failed(request_id, reason, temporary):
                self._fail(request_id, reason, now, temporary=temporary)
            case Halt(symbol, status):
                self._on_halt(symbol, status)
            case Odd(reason):
                return reason
            case Welcome():
                self._welcomed = True
                self._changed.set()
            case Leave(reason):
                _log.info("stream_leave_asked", source=source, reason=reason)
                self.leaving.set()
            case Complaint(reason):
                raise StreamDown("error", reason)
        return None

    def _fail(self, request_id: str, reason: str, now: float, *, temporary: bool) -> None:
        rules = self._dialect.RULES
        if self._subscriptions.was_unsubscribe(request_id):
            _log.debug("stream_unsubscribe_failed", source=rules.source, reason=reason)
            return
        is_about_symbols = any(word in reason.lower() for word in rules.unknown_words)
        if not temporary and not (is_about_symbols and self._subscriptions.is_open(request_id)):
            # Its symbols may be as good as any: what the provider has against us is another thing.
            raise StreamDown("error", reason)
        rejected = self._subscriptions.fail(request_id, now, temporary=temporary)
        _log.warning("stream_request_failed", source=rules.source, rejected=list(rejected), reason=reason)
        self._changed.set()

    async def _send(self) -> None:
        while True:
            now = self._clock.monotonic()
            wait_s = self._pace.wait_s(now)
            if wait_s <= 0:
                text = self._next(now)
                if text is not None:
                    self._pace.spend(now)
                    await self._ws.send_str(text)
                    continue
                if self._welcomed and self._subscriptions.is_useless(now):
                    return
                if now - self._priced_at >= self._dialect.RULES.quiet_s:
                    # The provider may have lost our subscriptions, which its heartbeats do not tell.
                    raise StreamDown("quiet", f"no price for {self._dialect.RULES.quiet_s:g} s")
                self._changed.clear()
                await self._wait_changed(STEP_S if self._ping is None else min(STEP_S, self._ping.every_s))
            else:
                await self._clock.sleep(min(wait_s, STEP_S))

    def _next(self, now: float) -> str | None:
        """Return the message to send now: a ping that is due first, it must not wait behind a hundred requests."""
        if self._ping is not None and now - self._pinged_at >= self._ping.every_s:
            self._pinged_at = now
            return self._ping.say(self._subscriptions.new_id())
        if not self._welcomed:
            return None
        request = self._subscriptions.next(now)
        if request is None:
            return None
        say = self._dialect.subscribe if request.verb is Verb.SUBSCRIBE else self._dialect.unsubscribe
        return say(request.symbols, request.request_id)

    async def _wait_changed(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return
