"""A provider's markets: what it calls each pair, and whether anybody trades it now."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from meshkit.clock import Clock
from services.aggregator.prices.errors import MarketHalted, UnknownPair
from services.aggregator.prices.pair import Pair
from services.aggregator.sources import shapes
from services.aggregator.sources.listing import LIFETIME_S, Listing
from services.aggregator.sources.shapes import Misshapen, Record
from services.aggregator.sources.source import UNLIMITED, RateLimiter, Source, TickOutcome

# What a market's status is must be known to the minute, and a look comes with the next fetch and takes its time.
STATUS_S = 48.0
# Of the markets that nobody asked for during so many looks the status is looked at no more.
_LOOKS_KEPT = 15


@dataclass(frozen=True, slots=True)
class Market:
    """
    Hold what the provider says of a pair.

    Attributes:
        name: Its own name of the pair.
        halt: The status in which nobody trades; empty while somebody may.
    """

    name: str
    halt: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """
    Hold what a provider lists.

    Attributes:
        aliases: Other names of pairs that it has, each with the pair.
        age_ms: For how long a cache before the provider had kept the list.
        is_whole: Whether all of it could be read.
    """

    markets: Mapping[Pair, Market]
    aliases: Mapping[Pair, Pair] = field(default_factory=dict)
    age_ms: int = 0
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class Statuses:
    """Hold the halts of some markets by the provider's names, and how old a cache had let them get."""

    halts: Mapping[str, str]
    age_ms: int = 0


Load = Callable[[RateLimiter], Awaitable[Listed]]
Look = Callable[[Collection[str], RateLimiter], Awaitable[Statuses]]


class Markets:
    """
    Hold the markets of a provider, with their statuses to the minute.

    Args:
        load: Return what the provider lists.
        look: Return the statuses of these names, where the list itself is too long to be loaded every minute.
        has_statuses: Whether the list tells statuses; one that does not is loaded once a day.
    """

    def __init__(
        self, source: str, load: Load, clock: Clock, *, look: Look | None = None, has_statuses: bool = True
    ) -> None:
        self._source = source
        self._clock = clock
        self._look = look
        self._listing = Listing(
            source,
            load,
            clock,
            size=lambda listed: len(listed.markets),
            lifetime_s=STATUS_S if look is None and has_statuses else LIFETIME_S,
            on_load=self._note_listed,
            on_doubt=self._note_doubted,
        )
        self._statuses = Listing(
            source,
            self._load_statuses,
            clock,
            lifetime_s=STATUS_S,
            initial=Statuses({}),
            on_load=self._note_statuses,
        )
        self._used: dict[str, int] = {}
        self._looks = 0
        self._halts: dict[str, str] = {}
        self._confirmed_at: dict[str, float] = {}
        self._told: dict[Pair, str] = {}
        self._told_of_all = ""
        self._traded: set[Pair] = set()
        self._observers: list[Callable[[], None]] = []

    @property
    def is_known(self) -> bool:
        """Tell whether a listing has been loaded."""
        return self._listing.at_hand is not None

    @property
    def is_due(self) -> bool:
        """Tell whether the statuses are to be looked at."""
        return self._listing.is_due or self._is_look_due

    @property
    def _is_look_due(self) -> bool:
        listed_s = self._clock.monotonic() - self._listing.loaded_at
        return self._look is not None and listed_s > STATUS_S and self._statuses.is_due

    def on_change(self, observer: Callable[[], None]) -> None:
        """Call an observer whenever a pair may have got another name."""
        self._observers.append(observer)

    async def listed(self, limiter: RateLimiter = UNLIMITED) -> Listed:
        """Return what is listed; raise what the load raises, unless an older list is at hand."""
        return await self._listing.names(limiter)

    async def split(
        self, pairs: Iterable[Pair], limiter: RateLimiter = UNLIMITED
    ) -> tuple[dict[Pair, str], dict[Pair, TickOutcome]]:
        """
        Return the names of the pairs that are traded, and an error for each other: UnknownPair or MarketHalted.

        A market that is halted when it is first seen is unknown. Raises what the load raises, unless an older list is
        at hand; the calls are those of the fetch that `limiter` belongs to.
        """
        listed = await self.listed(limiter)
        names: dict[Pair, str] = {}
        others: dict[Pair, TickOutcome] = {}
        for pair in pairs:
            market = self._market(listed, pair)
            if market is None:
                others[pair] = UnknownPair(pair, self._source)
            else:
                self._used[market.name] = self._looks
                names[pair] = market.name
        if others:
            self._listing.expire()
        if self._is_look_due:
            await self._statuses.names(limiter)
        for pair in list(names):
            if status := self.halt(pair):
                del names[pair]
                others[pair] = self._halted(pair, status)
        return names, others

    async def halts(self, pairs: Iterable[Pair], limiter: RateLimiter = UNLIMITED) -> dict[Pair, TickOutcome]:
        """Return a MarketHalted for each pair of which the list says so; without a list, none is known to be."""
        await self._listing.renew(limiter)
        return {pair: MarketHalted(self._source, pair, status) for pair in pairs if (status := self.halt(pair))}

    def expire(self) -> None:
        """Load the list again at the next call, since the provider contradicted it; at most every five minutes."""
        self._listing.expire()

    def symbol(self, pair: Pair) -> str | None:
        """Return the provider's name of a pair, None if it lists no such pair."""
        market = None if self._listing.at_hand is None else self._market(self._listing.at_hand, pair)
        return None if market is None else market.name

    def halt(self, pair: Pair) -> str:
        """Return the status in which nobody trades a pair, empty if somebody may or it is not known."""
        if self._told_of_all:
            return self._told_of_all
        told = self._told.get(pair)
        if told is not None:
            return told
        name = self.symbol(pair)
        if name is None:
            return ""
        self._used[name] = self._looks
        return self._halts.get(name, "")

    def confirmed_at(self, pair: Pair) -> float:
        """Return when the provider last said that a pair is traded, as a monotonic moment."""
        name = self.symbol(pair)
        return float("-inf") if name is None else self._confirmed_at.get(name, float("-inf"))

    def tell(self, pair: Pair, status: str) -> None:
        """Note what a stream says of a pair: a status in which nobody trades it, or an empty one."""
        if status:
            self._told[pair] = status
        else:
            self._told.pop(pair, None)

    def tell_all(self, status: str) -> None:
        """Note what a stream says of all pairs, likewise; an empty status takes back what it said of each, too."""
        self._told_of_all = status
        if not status:
            self._told.clear()

    def _market(self, listed: Listed, pair: Pair) -> Market | None:
        if (market := listed.markets.get(pair)) is not None:
            return market
        upper = pair.upper()
        return listed.markets.get(listed.aliases.get(upper, upper))

    def _halted(self, pair: Pair, status: str) -> TickOutcome:
        known = pair in self._traded or pair.upper() in self._traded or pair in self._told or bool(self._told_of_all)
        return MarketHalted(self._source, pair, status) if known else UnknownPair(pair, self._source)

    def _note_listed(self, listed: Listed) -> None:
        self._traded |= {pair for pair, market in listed.markets.items() if not market.halt}
        self._traded |= {alias for alias, pair in listed.aliases.items() if pair in self._traded}
        self._halts = {market.name: market.halt for market in listed.markets.values() if market.halt}
        moment = self._clock.monotonic() - listed.age_ms / 1000
        self._confirmed_at = {market.name: moment for market in listed.markets.values() if not market.halt}
        for observer in self._observers:
            observer()

    def _note_doubted(self, listed: Listed) -> None:
        # Whether the markets that are missing are gone is doubtful, what is said of the others is not.
        self._note_statuses(Statuses({each.name: each.halt for each in listed.markets.values()}, listed.age_ms))

    async def _load_statuses(self, limiter: RateLimiter) -> Statuses:
        self._looks += 1
        listed = self._listing.at_hand
        names = set() if listed is None else {market.name for market in listed.markets.values()}
        self._used = {
            name: look for name, look in self._used.items() if name in names and self._looks - look <= _LOOKS_KEPT
        }
        assert self._look is not None
        return await self._look(list(self._used), limiter)

    def _note_statuses(self, found: Statuses) -> None:
        moment = self._clock.monotonic() - found.age_ms / 1000
        for name, halt in found.halts.items():
            if halt:
                self._halts[name] = halt
                self._confirmed_at.pop(name, None)
            else:
                self._halts.pop(name, None)
                self._confirmed_at[name] = moment


def markets_of(sources: Iterable[Source]) -> dict[str, Markets]:
    """Return the markets of those sources that list them, by the sources' names."""
    found = {source.DECLARATION.name: getattr(source, "markets", None) for source in sources}
    return {name: markets for name, markets in found.items() if isinstance(markets, Markets)}


def read_markets(rows: Iterable[Any], read: Callable[[Record], tuple[Pair, Market]]) -> dict[Pair, Market]:
    """
    Return the markets of a list's rows, each read alone, so that a bad one spoils nothing but itself.

    Rows that contradict each other are left out: a name of two pairs, a name with two statuses, a pair with two names
    unless only one of them is traded.
    """
    pairs: dict[str, set[tuple[Pair, Market]]] = {}
    for pair, market in _readable(rows, read):
        pairs.setdefault(market.name, set()).add((pair, market))
    found: dict[Pair, set[Market]] = {}
    for named in pairs.values():
        if len(named) == 1:
            ((pair, market),) = named
            found.setdefault(pair, set()).add(market)
    chosen = {pair: {each for each in markets if len(markets) == 1 or not each.halt} for pair, markets in found.items()}
    return {pair: next(iter(markets)) for pair, markets in chosen.items() if len(markets) == 1}


def _readable(rows: Iterable[Any], read: Callable[[Record], tuple[Pair, Market]]) -> Iterator[tuple[Pair, Market]]:
    for row in rows:
        try:
            yield read(shapes.record(row, "row"))
        except Misshapen:
            continue


def pair_in(row: Record, fields: Sequence[str]) -> Pair:
    """Return the pair that two fields of a row name."""
    base, quote = fields
    return Pair(shapes.text(row, base), shapes.text(row, quote))
