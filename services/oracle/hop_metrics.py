"""
How long a price takes from hop to hop, from an exchange into a block, of each feed as one node sees it.

What of a round is known only later, or never, leaves out its hops and no others.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import orjson

from meshkit.metrics import Distribution, Metric, Registry, Sample
from meshkit.ocr.hops import HOPS, Moment

# Few, as there are as many series for each feed and hop.
BOUNDS_S: Final = (0.05, 0.25, 1.0, 4.0, 15.0, 60.0)
TOTAL: Final = "total"
# A round that never ends is forgotten after so many others of its feed.
_ROUNDS_OPEN: Final = 16
_ORDER: Final = tuple(Moment)

HOP_METRICS: Final = (
    Metric(
        "feedmesh_round_hop_seconds",
        "histogram",
        "Time of a price from the moment before to this one: accepted by the aggregator, served to the node, observed, "
        "report signed, transmitted, included in a block; total is from the exchange's own time to the block.",
        ("job_name", "hop"),
        BOUNDS_S,
        derived=True,
    ),
)

_Round = tuple[int, int]


class HopMetrics:
    """Keep the moments of the rounds that are under way, and count a hop as soon as both its ends are known."""

    def __init__(self, registry: Registry) -> None:
        self._rounds: dict[str, OrderedDict[_Round, dict[Moment, int]]] = {}
        self._hops: dict[tuple[str, str], Distribution] = {}
        registry.derive("feedmesh_round_hop_seconds", self._samples)

    def note(self, feed: str, epoch: int, round_number: int, moments_ms: Mapping[Moment, int]) -> None:
        """Take in moments of a round, Unix milliseconds; of a moment that is told twice the first counts."""
        rounds = self._rounds.setdefault(feed, OrderedDict())
        known = rounds.setdefault((epoch, round_number), {})
        if len(rounds) > _ROUNDS_OPEN:
            rounds.popitem(last=False)
        for moment, at_ms in moments_ms.items():
            if moment in known:
                continue
            known[moment] = at_ms
            self._count(feed, known, moment)

    def forget(self, feed: str) -> None:
        """Show a feed no longer: a job that is gone has no values."""
        self._rounds.pop(feed, None)
        for key in [key for key in self._hops if key[0] == feed]:
            del self._hops[key]

    def _count(self, feed: str, known: Mapping[Moment, int], moment: Moment) -> None:
        place = _ORDER.index(moment)
        pairs = [(before, after) for before, after in zip(_ORDER, HOPS, strict=False) if moment in (before, after)]
        for before, after in pairs:
            if before in known and after in known:
                self._observe(feed, after.value, known[after] - known[before])
        first, last = _ORDER[0], _ORDER[-1]
        if place in (0, len(_ORDER) - 1) and first in known and last in known:
            self._observe(feed, TOTAL, known[last] - known[first])

    def _observe(self, feed: str, hop: str, took_ms: int) -> None:
        # Clocks differ, and exchanges round their times: a hop below zero took no time.
        self._hops.setdefault((feed, hop), Distribution.of(BOUNDS_S)).observe(max(0, took_ms) / 1000)

    def _samples(self) -> Iterator[Sample]:
        yield from self._hops.items()


def moments_of(body: str) -> dict[Moment, int]:
    """
    Return the moments that an answer of our aggregator tells: the exchange's time, acceptance and service.

    Of several sources that with the newest price counts. Empty for any other answer.
    """
    try:
        answer = orjson.loads(body)
    except ValueError:
        return {}
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, dict):
        return {}
    sources, stamps = data.get("sources"), answer.get("timestamps")
    newest: dict[str, Any] = max(
        (each for each in sources if isinstance(each, dict)) if isinstance(sources, list) else (),
        key=lambda each: _ms(each.get("receivedAt")) or 0,
        default={},
    )
    served = stamps.get("answeredUnixMs") if isinstance(stamps, dict) else None
    told = {
        Moment.EXCHANGE: _ms(newest.get("exchangeTime")),
        Moment.ACCEPTED: _ms(newest.get("receivedAt")),
        Moment.SERVED: served if isinstance(served, int) else None,
    }
    return {moment: at_ms for moment, at_ms in told.items() if at_ms is not None}


def _ms(text: Any) -> int | None:
    try:
        return round(datetime.fromisoformat(text).timestamp() * 1000)
    except (TypeError, ValueError, OverflowError):
        return None
