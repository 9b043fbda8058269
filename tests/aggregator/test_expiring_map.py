"""A map of values that end: each holds to its moment, and the bound holds whatever is put in."""

from hypothesis import given
from hypothesis import strategies as st

from meshkit.clock import ManualClock
from services.aggregator.expiring_map import ExpiringMap

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "get", "pop", "values"]), st.integers(0, 5), st.integers(0, 4), st.integers(0, 2)
    ),
    max_size=30,
)


@given(STEPS)
def test_it_is_a_map_without_what_has_ended(steps: list[tuple[str, int, int, int]]) -> None:
    """Compared with all that was put ever: what is found was put last, has not ended, and is of the newest few."""
    clock, capacity = ManualClock(), 3
    found: ExpiringMap[int, int] = ExpiringMap(clock, capacity)
    put: dict[int, tuple[int, float]] = {}
    for number, (step, key, last_s, wait_s) in enumerate(steps):
        clock.advance(wait_s)
        now = clock.monotonic()
        if step == "put":
            put.pop(key, None)
            put[key] = number, now + last_s
            found.put(key, number, now + last_s)
            alive = {each: held for each, held in put.items() if held[1] > now}
            put = put if len(put) <= capacity else dict(list(alive.items())[-capacity:])
        elif step == "pop":
            put.pop(key, None)
            found.pop(key)
        elif step == "get":
            value, until = put.get(key, (None, now))
            if until > now and len(found) >= capacity:
                put[key] = put.pop(key)
            assert (value if until > now else None) == found.get(key)
        else:
            put = {each: held for each, held in put.items() if held[1] > now}
            assert [value for value, _ in put.values()] == list(found.values())
        assert len(found) <= capacity
