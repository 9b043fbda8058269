"""Prices of sources for the tests of this folder."""

from collections.abc import Sequence
from decimal import Decimal

from services.aggregator.prices.quote import SourceQuote
from tests.aggregator.fakes import BTC


def quotes(*prices: str | Decimal, times_ms: Sequence[int | None] | None = None) -> list[SourceQuote]:
    """Return accepted prices of the sources s9, s8 and so on, named in falling order, so that sorting them shows."""
    times = times_ms or [None] * len(prices)
    return [
        SourceQuote(f"s{9 - i}", BTC, Decimal(price), 1_000_000 + i, 5.0 + i, time_ms)
        for i, (price, time_ms) in enumerate(zip(prices, times, strict=True))
    ]
