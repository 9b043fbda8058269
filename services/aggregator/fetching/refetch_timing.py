"""When a pair is fetched again: shortly before its price expires, or some time after a failure."""

from meshkit.errors import MeshError, RateLimited
from services.aggregator.prices.errors import MarketHalted, OwnClockOff, PriceRefused, UnknownPair

# An unknown pair may be listed some day; a fault may be over in a moment.
UNKNOWN_RETRY_S = 60.0
# What halts a market takes its time, and its status is looked at more often than that.
HALTED_RETRY_S = 30.0
FIRST_RETRY_S = 0.25
LONGEST_RETRY_S = 5.0
# A leap that other sources follow is seen so soon after them; one that none follows is asked for less often then.
CONFIRMATION_GAP_S = 1.0
_CONFIRMING_TRIES = 5
# A refresh begins in the last part of the time to live, as late as the source's answer times allow.
SHORTEST_LEAD_S = 0.25
_LEAD_PARTS = 8
_LEAD_ANSWERS = 4


def lead_s(ttl_s: float, longest_s: float, slowest_s: float) -> float:
    """
    Return how long before expiry a refresh begins.

    It is an eighth of the time to live or four times the slowest recent answer, whichever is more, but never over
    `longest_s` (staleTriggerBeforeExpiry) or half the time to live: an early refresh costs calls, a late one misses.
    """
    return min(max(ttl_s / _LEAD_PARTS, _LEAD_ANSWERS * slowest_s, SHORTEST_LEAD_S), longest_s, ttl_s / 2)


def retry_delay_s(error: MeshError, count: int, longest_s: float = LONGEST_RETRY_S) -> float:
    """Return how long to wait after `count` failures in a row: doubling to `longest_s`, or as the error says."""
    if isinstance(error, RateLimited):
        return error.retry_after_ms / 1000
    if isinstance(error, UnknownPair):
        return UNKNOWN_RETRY_S
    if isinstance(error, OwnClockOff):
        return LONGEST_RETRY_S
    if isinstance(error, MarketHalted):
        return HALTED_RETRY_S
    delay_s = min(FIRST_RETRY_S * 2.0 ** min(count - 1, 16), longest_s)
    if isinstance(error, PriceRefused) and error.is_doubt:
        return max(CONFIRMATION_GAP_S, delay_s) if count > _CONFIRMING_TRIES else CONFIRMATION_GAP_S
    return delay_s
