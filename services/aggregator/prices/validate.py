"""What is checked of a price before the cache takes it: only a plausible one passes."""

from decimal import Decimal

from services.aggregator.prices.errors import PriceRefused
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.price import LARGEST, SMALLEST, read_decimal
from services.aggregator.prices.quote import SourceQuote, Tick

# Clocks of exchanges and hosts differ by seconds; a minute ahead is a wrong unit or a wrong clock.
FUTURE_TOLERANCE_MS = 60_000
# Caches before an exchange keep an answer for about this long beyond what it is good for.
CACHE_TOLERANCE_MS = 2_000
# A last trade so far outside the book was made before the market moved.
BOOK_TOLERANCE = Decimal("0.05")


def accept(
    source: str,
    pair: Pair,
    tick: Tick,
    *,
    received_ms: int,
    received_at: float,
    ttl_ms: int,
    max_age_ms: int,
    after_ms: int | None = None,
) -> SourceQuote:
    """
    Return the quote of a tick that arrived at `received_ms`, which is the monotonic moment `received_at`.

    It is stale `ttl_ms` after its arrival, or when it is `max_age_ms` old by the exchange's clock if that is sooner. A
    price without a time of its own, out of a cache, is stale that much sooner.

    Raises PriceRefused if the price is not a finite number within 1E-18 to 1E15 (rule number or range), if the
    exchange's own time is over a minute ahead or too long ago (rule time or age), if it is before `after_ms`, when
    the price that was served last was observed (rule order), or if the price is more than 5 % outside of bid and ask
    (rule book).
    """
    price = _number(source, pair, tick.price)
    if not SMALLEST <= price <= LARGEST:
        raise PriceRefused(source, pair, str(price), f"allowed are {SMALLEST} to {LARGEST}", rule="range")
    time_ms = tick.exchange_time_ms
    if time_ms is None:
        left_ms = min(ttl_ms, ttl_ms + CACHE_TOLERANCE_MS - tick.age_ms)
        if left_ms <= 0:
            why = f"it was {tick.age_ms} ms in a cache before the source, allowed are {ttl_ms + CACHE_TOLERANCE_MS} ms"
            raise PriceRefused(source, pair, str(price), why, rule="age")
    else:
        time_ms = _time(source, pair, time_ms, received_ms)
        left_ms = min(ttl_ms, time_ms + max_age_ms - received_ms)
        if left_ms <= 0:
            why = f"its exchange time is {received_ms - time_ms} ms ago, allowed are {max_age_ms} ms"
            raise PriceRefused(source, pair, str(time_ms), why, rule="age")
        if after_ms is not None and min(time_ms, received_ms) < after_ms:
            why = f"its exchange time is {after_ms - time_ms} ms before that of the price served last"
            raise PriceRefused(source, pair, str(time_ms), why, rule="order")
    _check_book(source, pair, price, tick)
    age_ms = tick.age_ms if time_ms is None else 0
    return SourceQuote(source, pair, price, received_ms, received_at + left_ms / 1000, time_ms, age_ms)


def _time(source: str, pair: Pair, found: object, received_ms: int) -> int:
    if not isinstance(found, int) or isinstance(found, bool):
        raise PriceRefused(source, pair, str(found)[:64], "its exchange time is not a whole number", rule="time")
    if found > received_ms + FUTURE_TOLERANCE_MS:
        raise PriceRefused(source, pair, str(found), "its exchange time is in the future", rule="time")
    return found


def _check_book(source: str, pair: Pair, price: Decimal, tick: Tick) -> None:
    bid, ask = _side(source, pair, "bid", tick.bid), _side(source, pair, "ask", tick.ask)
    if bid is not None and price < bid * (1 - BOOK_TOLERANCE):
        raise PriceRefused(source, pair, str(price), f"it is far below the bid {bid}", rule="book")
    if ask is not None and price > ask * (1 + BOOK_TOLERANCE):
        raise PriceRefused(source, pair, str(price), f"it is far above the ask {ask}", rule="book")


def _side(source: str, pair: Pair, name: str, found: object) -> Decimal | None:
    """Return the best offer of a side of the book; None for an empty side, which may be told as zero."""
    if found is None:
        return None
    number = _number(source, pair, found)
    if not 0 <= number <= LARGEST:
        raise PriceRefused(source, pair, str(number), f"its {name} is not within 0 to {LARGEST}", rule="book")
    return number or None


def _number(source: str, pair: Pair, found: object) -> Decimal:
    if isinstance(found, bool) or not isinstance(found, str | int | Decimal):
        raise PriceRefused(source, pair, _shown(found), "it is not a decimal number", rule="number")
    try:
        number = read_decimal(str(found))
    except ValueError:
        raise PriceRefused(source, pair, _shown(found), "it is not a decimal number", rule="number") from None
    if not number.is_finite():
        raise PriceRefused(source, pair, str(found), "it is not finite", rule="number")
    return number


def _shown(found: object) -> str:
    # What nests deeply has no text.
    return f"a {type(found).__name__}" if isinstance(found, list | dict) else str(found)[:64]
