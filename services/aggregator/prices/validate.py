"""The door of the cache: only a plausible price passes."""

from decimal import Decimal

from services.aggregator.prices.errors import PriceRefused
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.price import LARGEST, SMALLEST, read_decimal
from services.aggregator.prices.quote import SourceQuote, Tick

# Clocks of exchanges and hosts differ by seconds; a minute ahead is a wrong unit or a wrong clock.
FUTURE_TOLERANCE_MS = 60_000
# A last trade so far outside the book was made before the market moved.
BOOK_TOLERANCE = Decimal("0.05")


def accept(
    source: str, pair: Pair, tick: Tick, *, received_ms: int, received_at: float, ttl_ms: int, max_age_ms: int
) -> SourceQuote:
    """
    Return the quote of a tick that arrived at `received_ms`, which is the monotonic moment `received_at`.

    It is stale `ttl_ms` after its arrival, or when it is `max_age_ms` old by the exchange's clock if that is sooner.

    Raises PriceRefused if the price is not a finite number within 1E-18 to 1E15 (rule number or range), if the
    exchange's own time is over a minute ahead or too long ago (rule time or age), or if the price is more than 5 %
    outside of bid and ask (rule book).
    """
    price = _number(source, pair, tick.price)
    if not SMALLEST <= price <= LARGEST:
        raise PriceRefused(source, pair, str(price), f"allowed are {SMALLEST} to {LARGEST}", rule="range")
    left_ms = ttl_ms
    time_ms = tick.exchange_time_ms
    if time_ms is not None:
        if time_ms > received_ms + FUTURE_TOLERANCE_MS:
            raise PriceRefused(source, pair, str(time_ms), "its exchange time is in the future", rule="time")
        left_ms = min(ttl_ms, time_ms + max_age_ms - received_ms)
        if left_ms <= 0:
            why = f"its exchange time is {received_ms - time_ms} ms ago, allowed are {max_age_ms} ms"
            raise PriceRefused(source, pair, str(time_ms), why, rule="age")
    _check_book(source, pair, price, tick)
    return SourceQuote(source, pair, price, received_ms, received_at + left_ms / 1000, time_ms)


def _check_book(source: str, pair: Pair, price: Decimal, tick: Tick) -> None:
    if tick.bid is not None and price < _number(source, pair, tick.bid) * (1 - BOOK_TOLERANCE):
        raise PriceRefused(source, pair, str(price), f"it is far below the bid {tick.bid}", rule="book")
    if tick.ask is not None and price > _number(source, pair, tick.ask) * (1 + BOOK_TOLERANCE):
        raise PriceRefused(source, pair, str(price), f"it is far above the ask {tick.ask}", rule="book")


def _number(source: str, pair: Pair, found: object) -> Decimal:
    if isinstance(found, bool) or not isinstance(found, str | int | Decimal):
        raise PriceRefused(source, pair, str(found)[:64], "it is not a decimal number", rule="number")
    try:
        number = read_decimal(str(found))
    except ValueError:
        raise PriceRefused(source, pair, str(found)[:64], "it is not a decimal number", rule="number") from None
    if not number.is_finite():
        raise PriceRefused(source, pair, str(found), "it is not finite", rule="number")
    return number
