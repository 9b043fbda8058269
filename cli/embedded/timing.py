"""How often the feeds of an embedded mesh have a round: as often as one machine bears."""

from typing import Any, Final

from meshkit.ocr.timing import observation_timeout_ms

# A round of one feed costs the four oracles, the database, the chain and the aggregator together about 80 ms of
# processor time; two cores are to have a third of theirs to spare.
_MS_PER_FEED: Final = 80
_FASTEST_MS: Final = 2000


def round_ms(feed_count: int) -> int:
    """Return the time between two rounds of a feed, in milliseconds."""
    return max(_FASTEST_MS, feed_count * _MS_PER_FEED)


def price_ttl_ms(feed_count: int) -> int:
    """Return how long a price is served, in milliseconds: so that each round has a new one."""
    return min(round_ms(feed_count), 10_000)


def request_timeout_ms(feed_count: int) -> int:
    """Return how long a caller of the aggregator waits: no longer than an observation may take."""
    timings = ocr(feed_count)
    return min(observation_timeout_ms(timings["deltaRoundMs"], timings["deltaGraceMs"]), 4_000)


def ocr(feed_count: int) -> dict[str, Any]:
    """Return the protocol's parameters for so many feeds, in proportion to the time between rounds."""
    each_ms = round_ms(feed_count)
    return {
        "deltaProgressMs": each_ms * 5 // 2,
        "deltaResendMs": each_ms // 2,
        "deltaRoundMs": each_ms,
        "deltaGraceMs": each_ms // 4,
        "deltaCMs": max(10_000, each_ms),
        # Every change is reported: one wants to see something move.
        "alphaPpb": 1,
        # A busy chain takes seconds; were the next oracle's turn to come meanwhile, it would send the report again.
        "deltaStageMs": max(2000, each_ms // 2),
        "rMax": 4,
    }
