"""
What one connection has asked for, and what it must send next so that this becomes what is wanted.

    wanted ──request──▶ asked ──confirmed, or a price──▶ held
                          │ no answer in time: asked again, at last rejected if other things were said meanwhile
                          │ request failed: asked in halves, alone at last
                          ▼ rejected: left to REST for an hour

The wanted symbols are the one truth. Nothing is asked for twice while it is held.
"""

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from services.aggregator.streams.protocol import Rules

ANSWER_S = 5.0
MOST_TRIES = 3
REJECTED_S = 3_600.0
PAUSE_S = 10.0
_MOST_REMEMBERED = 32


class Verb(Enum):
    """Say what a request does."""

    SUBSCRIBE = "subscribe"
    UNSUBSCRIBE = "unsubscribe"


@dataclass(frozen=True, slots=True)
class Request:
    """Hold what is to be sent next."""

    verb: Verb
    request_id: int
    symbols: tuple[str, ...]


@dataclass(slots=True)
class Rejections:
    """Remember which symbols the provider refuses, until when; it outlives connections."""

    _until: dict[str, float] = field(default_factory=dict)

    def add(self, symbol: str, now: float) -> None:
        """Leave a symbol out for an hour."""
        self._until[symbol] = now + REJECTED_S

    def covers(self, symbol: str, now: float) -> bool:
        """Tell whether a symbol is left out now."""
        until = self._until.get(symbol)
        if until is None or until > now:
            return until is not None
        del self._until[symbol]
        return False

    def keep(self, symbols: Collection[str]) -> None:
        """Forget the symbols that are not among these."""
        for symbol in self._until.keys() - set(symbols):
            del self._until[symbol]


@dataclass(slots=True)
class _Ask:
    request_id: str
    asked_at: float
    confirmed: bool


class Subscriptions:
    """Decide what one open connection sends; moments are monotonic seconds."""

    def __init__(self, rules: Rules, batch: int, rejections: Rejections) -> None:
        self._acknowledges = rules.acknowledges
        self._batch = batch
        self._rejections = rejections
        self._wanted: dict[str, None] = {}
        self._held: dict[str, _Ask] = {}
        self._halves: list[tuple[str, ...]] = []
        self._tries: dict[str, int] = {}
        self._paused_until = float("-inf")
        self._last_id = 0
        self._unsubscribes: deque[str] = deque(maxlen=_MOST_REMEMBERED)
        self._heard_at = float("-inf")

    def hear(self, now: float) -> None:
        """Note that the provider said something that could be read."""
        self._heard_at = now

    def want(self, symbols: Iterable[str]) -> None:
        """Replace the wanted symbols."""
        self._wanted = dict.fromkeys(symbols)

    def is_complete(self, now: float) -> bool:
        """Tell whether every wanted symbol is confirmed or rejected."""
        return all(
            self._rejections.covers(symbol, now) or ((ask := self._held.get(symbol)) is not None and ask.confirmed)
            for symbol in self._wanted
        )

    def is_useless(self, now: float) -> bool:
        """Tell whether nothing is held and nothing is left to ask for."""
        return not self._held and all(self._rejections.covers(symbol, now) for symbol in self._wanted)

    def next(self, now: float) -> Request | None:
        """Return the request to send now, which counts as sent, or None if there is nothing to send."""
        self._lapse(now)
        gone = [symbol for symbol in self._held if symbol not in self._wanted][: self._batch]
        if gone:
            for symbol in gone:
                del self._held[symbol]
            request = self._request(Verb.UNSUBSCRIBE, gone)
            self._unsubscribes.append(str(request.request_id))
            return request
        if now < self._paused_until:
            return None
        while self._halves:
            half = [symbol for symbol in self._halves.pop(0) if self._is_missing(symbol, now)]
            if half:
                return self._ask(half, now)
        missing = [symbol for symbol in self._wanted if self._is_missing(symbol, now)][: self._batch]
        return self._ask(missing, now) if missing else None

    def confirm(self, symbol: str) -> None:
        """Note that a symbol is subscribed: it was acknowledged, or has a price."""
        ask = self._held.get(symbol)
        if ask is not None and not ask.confirmed:
            ask.confirmed = True
            self._tries.pop(symbol, None)

    def confirm_request(self, request_id: str) -> None:
        """Note that all symbols of a request are subscribed."""
        for symbol in self._open(request_id):
            self.confirm(symbol)

    def reject(self, symbol: str, now: float, *, alone: bool = True) -> bool:
        """Leave a symbol out, and ask again for its fellows if they fell with it; False if it was not asked for."""
        ask = self._held.pop(symbol, None)
        if ask is None:
            return False
        self._rejections.add(symbol, now)
        if not alone:
            for fellow in self._open(ask.request_id):
                del self._held[fellow]
        return True

    def fail(self, request_id: str, now: float, *, temporary: bool = False) -> Sequence[str]:
        """
        Ask again for the symbols of a failed request: in halves, or all after a pause if the failure was temporary.

        Returns the symbol that is rejected because it failed alone, in a list.
        """
        symbols = self._open(request_id)
        for symbol in symbols:
            del self._held[symbol]
        if temporary:
            self._paused_until = now + PAUSE_S
        elif len(symbols) == 1:
            self._rejections.add(symbols[0], now)
            return symbols
        else:
            middle = len(symbols) // 2
            self._halves += [half for half in (tuple(symbols[:middle]), tuple(symbols[middle:])) if half]
        return []

    def was_unsubscribe(self, request_id: str) -> bool:
        """Tell whether a request of a short while ago was to end subscriptions."""
        return request_id in self._unsubscribes

    def is_open(self, request_id: str) -> bool:
        """Tell whether a request of ours has symbols that are not confirmed."""
        return bool(self._open(request_id))

    def _open(self, request_id: str) -> list[str]:
        return [symbol for symbol, ask in self._held.items() if ask.request_id == request_id and not ask.confirmed]

    def _is_missing(self, symbol: str, now: float) -> bool:
        return symbol in self._wanted and symbol not in self._held and not self._rejections.covers(symbol, now)

    def _ask(self, symbols: Sequence[str], now: float) -> Request:
        request = self._request(Verb.SUBSCRIBE, symbols)
        for symbol in symbols:
            self._held[symbol] = _Ask(str(request.request_id), now, confirmed=not self._acknowledges)
        return request

    def _request(self, verb: Verb, symbols: Sequence[str]) -> Request:
        return Request(verb, self.new_id(), tuple(symbols))

    def new_id(self) -> int:
        """Return a number for a message, never the same on one connection."""
        self._last_id += 1
        return self._last_id

    def _lapse(self, now: float) -> None:
        """Give up waiting for answers that are overdue."""
        lapsed = {
            symbol: ask.asked_at
            for symbol, ask in self._held.items()
            if not ask.confirmed and now - ask.asked_at >= ANSWER_S
        }
        for symbol, asked_at in lapsed.items():
            del self._held[symbol]
            # A provider that says nothing at all has not refused this symbol: the connection is broken.
            if self._heard_at <= asked_at:
                continue
            self._tries[symbol] = self._tries.get(symbol, 0) + 1
            if self._tries[symbol] >= MOST_TRIES:
                del self._tries[symbol]
                self._rejections.add(symbol, now)
