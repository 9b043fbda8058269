"""What a run came to: pure bookkeeping of rounds, and the JSON line at the end."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from cli.service_states import service_json
from feedmesh.operator.v1 import operator_service_pb2 as operator_pb
from feedmesh.supervisor.v1 import supervisor_service_pb2 as supervisor_pb

BPS = Decimal(10_000)


@dataclass(slots=True)
class FeedRecord:
    """What was seen of one feed during the run."""

    name: str
    address: str = ""
    rounds: int = 0
    answer: str = ""
    reference: str = ""
    last_round_time_s: float = 0.0
    last_block_time_ms: int = 0
    observers: set[str] = field(default_factory=set)
    transmitters: list[str] = field(default_factory=list)
    round_ms: list[float] = field(default_factory=list)

    def add(self, accepted: operator_pb.Round, now_s: float, round_ms: float | None) -> None:
        """Take in a round the contract accepted."""
        self.rounds += 1
        self.answer = accepted.answer
        self.last_round_time_s = now_s
        self.last_block_time_ms = accepted.block_time.ToMilliseconds()
        self.observers.update(accepted.observers)
        self.transmitters.append(accepted.transmitter)
        if round_ms is not None:
            self.round_ms.append(round_ms)

    def as_json(self) -> dict[str, Any]:
        """Return the feed's entry of the final line."""
        deviation = deviation_bps(self.answer, self.reference)
        return {
            "name": self.name,
            "address": self.address,
            "rounds": self.rounds,
            "answer": self.answer or None,
            "reference": self.reference or None,
            "deviation_bps": None if deviation is None else float(round(deviation, 2)),
            "observers": sorted(self.observers),
            "transmitters": sorted(set(self.transmitters)),
            "round_ms_p50": round(statistics.median(self.round_ms)) if self.round_ms else None,
        }


def deviation_bps(answer: str, reference: str) -> Decimal | None:
    """Return the distance of two decimal texts in basis points of the second; None if one is missing."""
    if not answer or not reference:
        return None
    return abs(Decimal(answer) - Decimal(reference)) / Decimal(reference) * BPS


def enough(feeds: Iterable[FeedRecord], rounds: int) -> bool:
    """Return whether every feed has had that many rounds."""
    return all(feed.rounds >= rounds for feed in feeds)


def final_line(
    *,
    error: str | None,
    startup_s: float | None,
    elapsed_s: float,
    services: Sequence[supervisor_pb.Service],
    feeds: Sequence[FeedRecord],
) -> dict[str, Any]:
    """Return the object a run with `--json` ends with."""
    return {
        "ok": error is None,
        **({} if error is None else {"error": error}),
        "startup_seconds": None if startup_s is None else round(startup_s, 2),
        "seconds": round(elapsed_s, 2),
        "services": [service_json(service) for service in services],
        "feeds": [feed.as_json() for feed in feeds],
    }
