"""The plan of the soak's faults."""

from itertools import pairwise

import pytest

from services.aggregator.sources.catalog import DECLARATIONS
from tests.aggregator.soaking.plan import DROP, FAULTS, LIE, STREAM_FAULTS, Spell, draw

STREAMING = [name for name, declared in DECLARATIONS.items() if declared.has_stream]
LIMITS = {name: ("short", "daily") if name == "alphavantage" else ("any",) for name in DECLARATIONS}
SEEDS = range(5)


def drawn(seed: int, seconds: float) -> tuple[Spell, ...]:
    """Return a plan for all sources."""
    return draw(seed, seconds, LIMITS, STREAMING)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_minute_has_every_kind_of_fault_and_every_source(seed: int) -> None:
    """However the dice fall, the short soak has all sources and all faults but the one that is noticed too late."""
    spells = drawn(seed, 60)

    assert {*FAULTS, *STREAM_FAULTS} - {DROP} == {spell.kind for spell in spells}
    assert set(DECLARATIONS) == {spell.source for spell in spells}


@pytest.mark.parametrize("seed", SEEDS)
def test_ten_minutes_bring_almost_every_fault_to_every_source(seed: int) -> None:
    """In the long soak each source meets nine of ten of the faults that it can have, or more."""
    spells = drawn(seed, 600)
    met = {source: {spell.kind for spell in spells if spell.source == source} for source in DECLARATIONS}
    possible = {source: len(FAULTS) + (len(STREAM_FAULTS) if source in STREAMING else 0) for source in DECLARATIONS}

    assert {} == {source: len(kinds) for source, kinds in met.items() if len(kinds) < 0.9 * possible[source]}


@pytest.mark.parametrize("seed", SEEDS)
def test_one_source_lies_at_a_time(seed: int) -> None:
    """Between the end of a lie and the next one, whosoever it is, the last lie has expired."""
    lies = [spell for spell in drawn(seed, 600) if spell.kind == LIE]

    assert len(lies) > 10
    assert [] == [(one, other) for one, other in pairwise(lies) if other.begins_s < one.ends_s + 3]


@pytest.mark.parametrize("seed", SEEDS)
def test_spells_of_a_source_follow_each_other_and_end_in_time(seed: int) -> None:
    """A source has one fault at a time, and the last one is over when the soak is."""
    spells = drawn(seed, 60)
    rows = [[spell for spell in spells if spell.source == source] for source in DECLARATIONS]

    assert [] == [pair for row in rows for pair in pairwise(row) if pair[1].begins_s < pair[0].free_s]
    assert max(spell.free_s for spell in spells) <= 60


def test_a_seed_replays_its_plan() -> None:
    """The same seed gives the same plan, another one another."""
    assert drawn(7, 60) == drawn(7, 60)
    assert drawn(7, 60) != drawn(8, 60)
