from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.cache.schedule import Schedule

STEPS = st.lists(st.tuples(st.integers(0, 5), st.one_of(st.none(), st.integers(0, 100))), max_size=300)


@given(STEPS, st.integers(0, 100))
def test_it_agrees_with_a_dictionary(steps: list[tuple[int, int | None]], now: int) -> None:
    """After any sets and drops, exactly the keys whose last moment has come are due, earliest first, and only once."""
    schedule: Schedule[int] = Schedule()
    moments: dict[int, float] = {}
    for key, moment in steps:
        if moment is None:
            schedule.drop(key)
            moments.pop(key, None)
        else:
            schedule.set(key, moment)
            moments[key] = moment
    due = schedule.pop_due(now)

    assert {key for key, moment in moments.items() if moment <= now} == set(due)
    assert sorted(moments[key] for key in due) == [moments[key] for key in due]
    assert [] == schedule.pop_due(now)
    assert min((moment for moment in moments.values() if moment > now), default=None) == schedule.next_at()
    assert len([moment for moment in moments.values() if moment > now]) == len(schedule)


@dataclass(frozen=True)
class Unordered:
    """A key that has no order of its own."""

    name: str


def test_equal_moments_keep_the_order_they_were_set_in() -> None:
    """Of a tie, who was set first is due first, whatever the keys are; setting one again is nothing."""
    schedule: Schedule[Unordered] = Schedule()
    keys = [Unordered(name) for name in "DBCA"]
    for key in [*keys, keys[1]]:
        schedule.set(key, 5.0)

    assert keys == schedule.pop_due(5.0)
    assert schedule.next_at() is None
