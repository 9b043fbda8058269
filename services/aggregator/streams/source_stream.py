"""The stream of one source: its pairs spread over as many connections as they need."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import aiohttp
from cachetools import TTLCache

from meshkit.clock import Clock
from meshkit.log import get_logger
from meshkit.metrics import Registry
from meshkit.process.background_tasks import BackgroundTasks
from services.aggregator.prices.errors import MarketHalted
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.sources.source import TickOutcome
from services.aggregator.streams.connection import Connection
from services.aggregator.streams.dial import Dialer
from services.aggregator.streams.processor_time import ProcessorTime
from services.aggregator.streams.protocol import Dialect
from services.aggregator.streams.send_rate import Pace
from services.aggregator.streams.session import Session
from services.aggregator.streams.settings import StreamConfig
from services.aggregator.streams.subscriptions import Rejections, Subscriptions
from services.aggregator.streams.symbols import Markets, symbol_of

_log = get_logger(__name__)

Deliver = Callable[[str, Pair, TickOutcome], None]

# Each kind of odd message is told once an hour; how many there are the metrics tell.
_TOLD_AGAIN_S = 3_600.0
_MOST_KINDS = 32


@dataclass(frozen=True, slots=True)
class StreamState:
    """Hold whether all connections in use are up, and when the last message came, Unix milliseconds."""

    connected: bool
    last_message_ms: int | None


class SourceStream:
    """
    Stream the wanted pairs of one source.

    Args:
        markets: What the source's REST API lists; None for a source without a listing.
    """

    def __init__(
        self,
        dialect: Dialect,
        config: StreamConfig,
        session: aiohttp.ClientSession,
        clock: Clock,
        metrics: Registry,
        markets: Markets | None = None,
    ) -> None:
        rules = dialect.RULES
        self.source = rules.source
        self._dialect = dialect
        self._config = config
        self._clock = clock
        self._markets = markets
        self._dialer = Dialer(session, rules, config, clock)
        self._rejections = Rejections()
        self._wanted: tuple[Pair, ...] = ()
        self._pairs: dict[str, set[Pair]] = {}
        self._connections: list[Connection] = []
        self._tasks = BackgroundTasks(clock, metrics)
        self._deliver: Deliver = lambda _source, _pair, _tick: None
        self._last_message_ms: int | None = None
        self._left_out = 0
        self._processor = ProcessorTime()
        self._told: TTLCache[str, None] = TTLCache(_MOST_KINDS, _TOLD_AGAIN_S, timer=clock.monotonic)
        self._up = metrics.gauge("websocket_connections").labels(self.source)
        self._reconnects = metrics.counter("websocket_reconnects_total")
        self._messages = metrics.gauge("websocket_messages_received").labels(self.source)
        self._superseded = metrics.counter("websocket_superseded_messages_total").labels(self.source)
        self._odd = metrics.counter("websocket_odd_messages_total").labels(self.source)
        self._crashes = metrics.counter("websocket_crashes_total").labels(self.source)

    @property
    def state(self) -> StreamState:
        """Return the present state; a stream that has nothing to carry is not connected."""
        used = [connection.connected for connection in self._connections if connection.symbols]
        return StreamState(bool(used) and all(used), self._last_message_ms)

    def on_price(self, deliver: Deliver) -> None:
        """Have each price delivered there, or why there is none."""
        self._deliver = deliver

    def want(self, pairs: Iterable[Pair]) -> None:
        """Replace the wanted pairs; what is streamed already stays on its connection."""
        self._wanted = tuple(pairs)
        self.rename()

    def rename(self) -> None:
        """Ask for the symbols of the wanted pairs, after the listing may have changed what they are."""
        named: dict[str, set[Pair]] = {}
        for pair in self._wanted:
            # Two spellings of a pair share a symbol, and both get its prices.
            if (symbol := symbol_of(pair, self._dialect, self._markets)) is not None:
                named.setdefault(symbol, set()).add(pair)
        if named == self._pairs:
            return
        self._pairs = named
        self._rejections.keep(self._pairs.keys())
        rules = self._dialect.RULES
        shares = allot(
            [list(connection.symbols) for connection in self._connections],
            list(self._pairs),
            rules.symbols_per_connection,
            rules.most_connections,
        )
        carried = sum(len(share) for share in shares)
        if self._left_out < len(self._pairs) - carried:
            _log.warning("stream_full", source=self.source, streamed=carried, left_to_rest=len(self._pairs) - carried)
        self._left_out = len(self._pairs) - carried
        while len(self._connections) < len(shares):
            self._add_connection()
        for connection, share in zip(self._connections, shares, strict=True):
            connection.want(share)

    def count_crash(self) -> None:
        """Count a price that was lost by a defect of ours."""
        self._crashes.inc()

    async def close(self) -> None:
        """Close all connections and return when they are closed."""
        await self._tasks.close()

    def _add_connection(self) -> None:
        rules, first_ms = self._dialect.RULES, self._config.reconnect_interval_ms
        connection = Connection(
            self.source,
            self._open_session,
            self._clock,
            self._rejections,
            first_wait_s=max(rules.connect_gap_s, (first_ms or 0) / 1000),
            lifetime_s=rules.lifetime_s,
            overlaps=rules.most_connections is None,
            reconnects=self._config.auto_reconnect,
            on_reconnect=lambda reason: self._reconnects.labels(self.source, reason).inc(),
            on_state=self._note_state,
        )
        self._connections.append(connection)
        self._tasks.start(f"stream of {self.source}", connection.run)

    async def _open_session(self) -> Session:
        rules, config = self._dialect.RULES, self._config
        line = await self._dialer.dial()
        ping = rules.ping
        if ping is not None:
            asked_s, set_ms = line.ping_s or ping.every_s, config.heartbeat_interval_ms
            ping = replace(ping, every_s=asked_s if set_ms is None else min(asked_s, set_ms / 1000))
        return Session(
            line,
            self._dialect,
            Subscriptions(rules, min(rules.batch, config.batch_size or rules.batch), self._rejections),
            self._clock,
            pace=Pace(max(rules.message_gap_s, (config.rate_limit_ms or 0) / 1000), rules.messages_per_hour),
            ping=ping,
            processor=self._processor,
            on_price=self._take,
            on_halt=self._note_halt,
            on_message=self._count,
            on_superseded=self._count_superseded,
        )

    def _take(self, symbol: str, tick: Tick, heard_ms: int) -> None:
        # As `replace` does, which costs as much as all else here.
        received = Tick(tick.price, tick.exchange_time_ms, tick.bid, tick.ask, tick.age_ms, received_ms=heard_ms)
        for pair in self._pairs.get(symbol, ()):
            status = "" if self._markets is None else self._markets.halt(pair)
            self._deliver(self.source, pair, MarketHalted(self.source, pair, status) if status else received)

    def _note_halt(self, symbol: str, status: str) -> None:
        if self._markets is None:
            return
        if symbol:
            for pair in self._pairs.get(symbol, ()):
                self._markets.tell(pair, status)
        else:
            self._markets.tell_all(status)

    def _note_state(self, up: bool) -> None:
        self._up.inc(1 if up else -1)
        if not up and self._markets is not None:
            # Nobody says any more that the system is halted, or that it is so no longer.
            self._markets.tell_all("")

    def _count_superseded(self) -> None:
        self._count(None)
        self._superseded.inc()

    def _count(self, odd: str | None) -> None:
        self._last_message_ms = self._clock.time_ms()
        self._messages.inc()
        if odd is None:
            return
        self._odd.inc()
        # Of what was found only the kind makes a difference: each message has other values.
        kind = odd.partition(": found ")[0]
        if kind not in self._told:
            self._told[kind] = None
            _log.warning("stream_message_odd", source=self.source, reason=odd)


def allot(held: Sequence[Collection[str]], wanted: Collection[str], room: int, most: int | None) -> list[list[str]]:
    """
    Return the symbols of each connection: what it holds of the wanted ones, filled up with new ones to `room`.

    There are never fewer connections than before and never more than `most`; what finds no room is left out.
    """
    wanted_set = set(wanted)
    shares = [[symbol for symbol in symbols if symbol in wanted_set] for symbols in held]
    placed = {symbol for share in shares for symbol in share}
    waiting = [symbol for symbol in wanted if symbol not in placed]
    for share in shares:
        taken, waiting = waiting[: room - len(share)], waiting[room - len(share) :]
        share += taken
    while waiting and (most is None or len(shares) < most):
        shares.append(waiting[:room])
        waiting = waiting[room:]
    return shares
