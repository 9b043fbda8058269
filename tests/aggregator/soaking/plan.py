"""
What goes wrong with which source and when, all of it drawn from a seed before the soak begins.

Each source has its own row of spells with pauses between them, and meets every kind of fault before one comes again.
"""

import random
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from services.aggregator.sources.catalog import DECLARATIONS

Fault = Mapping[str, object]

RECOVERY_S: Final = 20.0
"""Within this time after a fault, or after the wait that a limit answer asked for, a source has a fresh price again."""
LIE: Final = "outlier"
# Two sources that tell the same lie are right by majority, so only one lies at a time, and until its last lie expired.
_BETWEEN_LIES_S: Final = 4.0
LIMIT: Final = "limit"
DROP: Final = "drop"
# Nothing but the lack of prices shows that subscriptions were lost; after two minutes of it a stream is made anew.
UNNOTICED_S: Final = 150.0
FAULTS: Final[Mapping[str, Sequence[Fault]]] = MappingProxyType(
    {
        "latency": ({"latency_ms": 300}, {"latency_ms": 3_000}),
        "error": ({"status": 500}, {"status": 503, "body": "<html>maintenance</html>"}, {"status": 502, "body": {}}),
        "empty": ({"status": 200, "body": ""}, {"status": 200, "body": {}}, {"status": 200, "body": None}),
        "malformed": ({"malformed": True},),
        LIMIT: ({"limit": True},),
        "zero": ({"number": "zero"},),
        "negative": ({"number": "negative"},),
        "nan": ({"number": "nan"},),
        "huge": ({"number": "huge"},),
        "exponent": ({"number": "exponent"},),
        "stale": ({"shift_ms": -7_200_000},),
        "ahead": ({"shift_ms": 7_200_000},),
        # Beyond the jump guard and the allowed spread: of two sources that differ by less, neither can be told wrong.
        LIE: ({"factor": 0.01}, {"factor": 0.5}, {"factor": 0.8}, {"factor": 1.25}, {"factor": 1.5}, {"factor": 10}),
    }
)
STREAM_FAULTS: Final[Mapping[str, Sequence[Fault]]] = MappingProxyType(
    {
        "silence": ({"silence": True}, {"silence": True, "status": 503}),
        "half open": ({"half_open": True}, {"half_open": True, "latency_ms": 3_000}),
        "lifetime": ({"lifetime_ms": 1_000},),
        "close": ({},),
        "abrupt": ({}, {"status": 503}),
        "notice": ({},),
        DROP: ({}, {"malformed": True}),
    }
)
# What happens to the connections at the start of a spell, by the action's path in the control API.
ACTIONS: Final[Mapping[str, tuple[str, Fault]]] = MappingProxyType(
    {
        "close": ("disconnect", {"code": 1011}),
        "abrupt": ("disconnect", {"abrupt": True}),
        "notice": ("disconnect", {"notice": True}),
        DROP: ("drop", {}),
    }
)
# How long some limit answers silence a source, where it is not the time that the source declares for all others.
_WAITS_S: Final[Mapping[tuple[str, str], float]] = MappingProxyType(
    {
        ("alphavantage", "burst"): 2,
        ("alphavantage", "daily"): 3_600,
        ("binance", "ban"): 120,
        ("bybit", "address"): 600,
        ("exchangeratehost", "quota"): 3_600,
        ("kraken", "throttled"): 10,
        ("kucoin", "weight"): 30,
    }
)


@dataclass(frozen=True, slots=True)
class Spell:
    """
    Hold what a source does wrong from one moment to another, both in seconds since the start.

    Attributes:
        kind: The name of the fault.
        fault: What the control API is told.
        wait_s: For how long after the end the source is rightly left alone, as its limit answer asked.
    """

    source: str
    kind: str
    fault: Fault
    begins_s: float
    ends_s: float
    wait_s: float = 0.0

    @property
    def free_s(self) -> float:
        """Return when the source may be asked again."""
        return self.ends_s + self.wait_s


def waits(source: str, names: Collection[str]) -> dict[str, float]:
    """Return for how many seconds each of a source's limit answers silences it."""
    declared_s = DECLARATIONS[source].cool_down_ms / 1000
    return {name: _WAITS_S.get((source, name), declared_s) for name in names}


def draw(
    seed: int, seconds: float, limits: Mapping[str, Collection[str]], streaming: Collection[str]
) -> tuple[Spell, ...]:
    """
    Return the spells of a soak in the order of their beginning; all are over, waits too, after `seconds`.

    Args:
        seed: The same seed gives the same plan.
        seconds: How long the soak takes.
        limits: The names of the limit answers of each source; one that silences it for too long is not drawn.
        streaming: The sources that have a stream.
    """
    dice = random.Random(seed)
    rows = {
        source: _Row(source, dice.uniform(0.5, 4.0), (*FAULTS, *STREAM_FAULTS) if source in streaming else (*FAULTS,))
        for source in limits
    }
    spells: list[Spell] = []
    dealt: Counter[str] = Counter()
    honest_at = 0.0
    while rows:
        row = min(rows.values(), key=lambda row: row.free_s)
        ends_s = row.free_s + dice.uniform(1.5, 6.0)
        if ends_s > seconds:
            del rows[row.source]
            continue
        short = {
            name: wait_s for name, wait_s in waits(row.source, limits[row.source]).items() if ends_s + wait_s <= seconds
        }
        barred = {LIE} if row.free_s < honest_at else set()
        barred |= set() if short else {LIMIT}
        barred |= {DROP} if ends_s + UNNOTICED_S > seconds else set()
        spell = row.deal(dice, ends_s, short, dealt, barred)
        spells.append(spell)
        if spell.kind == LIE:
            honest_at = spell.ends_s + _BETWEEN_LIES_S
    return tuple(spells)


@dataclass(slots=True)
class _Row:
    """Deal one source's spells."""

    source: str
    free_s: float
    kinds: Sequence[str]
    met: Counter[str] = field(default_factory=Counter)

    def deal(
        self,
        dice: random.Random,
        ends_s: float,
        limits: Mapping[str, float],
        dealt: Counter[str],
        barred: Collection[str],
    ) -> Spell:
        """Return the next spell: of a kind that the source, then that all of them, had least."""
        kinds = dice.sample(self.kinds, len(self.kinds))
        kind = min((kind for kind in kinds if kind not in barred), key=lambda kind: (self.met[kind], dealt[kind]))
        self.met[kind] += 1
        dealt[kind] += 1
        fault, wait_s = dice.choice(FAULTS[kind] if kind in FAULTS else STREAM_FAULTS[kind]), 0.0
        if kind == LIMIT:
            name = dice.choice(sorted(limits))
            fault, wait_s = {"limit": name}, limits[name]
        spell = Spell(self.source, kind, fault, self.free_s, ends_s, wait_s)
        # Every third pause is long enough to see the recovery; the others are not, since faults do not wait for it.
        self.free_s = spell.free_s + (RECOVERY_S + 1 if dice.random() < 1 / 3 else dice.uniform(0.5, 6.0))
        return spell
