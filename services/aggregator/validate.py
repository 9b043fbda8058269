"""The door of the cache: only a plausible price passes."""

from decimal import Decimal

from services.aggregator.errors import PriceRefused
from services.aggregator.pair import Pair
from services.aggregator.price import LARGEST, SMALLEST, read_decimal
from services.aggregator.quote import SourceQuote, Tick

# Clocks of exchanges and hosts differ by seconds; a minute ahead is a wrong unit or a wrong clock.
FUTURE_TOLERANCE_MS = 60_000
# A last trade of an hour ago no longer tells the price.
MAX_EXCHANGE_AGE_MS = 3_600_000
# A last trade so far outside the book was made before the market moved.
BOOK_TOLERANCE = Decimal("0.05")


def accept(source: str, pair: Pair, tick: Tick, *, received_ms: int, expires_at: float) -> SourceQuote:
    """
    Return the quote of a tick that arrived at `received_ms` and is stale from the monotonic moment `expires_at` on.

    Raises PriceRefused if the price is not a finite number within 1E-18 to 1E15, if the exchange's own time is over a
    minute ahead or over an hour behind, or if the price is more than 5 % outside of bid and ask.
    """
    price = _number(source, pair, tick.price)
    if not SMALLEST <= price <= LARGEST:
        raise PriceRefused(source, pair, str(price), f"allowed are {SMALLEST} to {LARGEST}")
    time_ms = tick.exchange_time_ms
    if time_ms is not None:
        if time_ms > received_ms + FUTURE_TOLERANCE_MS:
            raise PriceRefused(source, pair, str(time_ms), "its exchange time is in the future")
        if time_ms < received_ms - MAX_EXCHANGE_AGE_MS:
            raise PriceRefused(source, pair, str(time_ms), "its exchange time is over an hour ago")
    if tick.bid is not None and price < _number(source, pair, tick.bid) * (1 - BOOK_TOLERANCE):
        raise PriceRefused(source, pair, str(price), f"it is far below the bid {tick.bid}")
    if tick.ask is not None and price > _number(source, pair, tick.ask) * (1 + BOOK_TOLERANCE):
        raise PriceRefused(source, pair, str(price), f"it is far above the ask {tick.ask}")
    return SourceQuote(source, pair, price, received_ms, expires_at, time_ms)


def _number(source: str, pair: Pair, found: object) -> Decimal:
    if isinstance(found, bool) or not isinstance(found, str | int | Decimal):
        raise PriceRefused(source, pair, str(found)[:64], "it is not a decimal number")
    try:
        number = read_decimal(str(found))
    except ValueError:
        raise PriceRefused(source, pair, str(found)[:64], "it is not a decimal number") from None
    if not number.is_finite():
        raise PriceRefused(source, pair, str(found), "it is not finite")
    return number
