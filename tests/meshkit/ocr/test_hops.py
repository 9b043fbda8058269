"""The hops of a price."""

from hypothesis import given
from hypothesis import strategies as st

from meshkit.ocr.hops import HOPS, Moment, durations_ms


def test_a_whole_way_has_every_hop() -> None:
    """With all moments known each hop is told once, in the order of the way."""
    moments = {moment: index * 10 for index, moment in enumerate(Moment)}

    assert [(hop, 10) for hop in HOPS] == list(durations_ms(moments))


def test_an_unknown_moment_joins_no_others() -> None:
    """A hop whose beginning or end is not known is left out, and never measured from further away."""
    moments = {Moment.EXCHANGE: 0, Moment.ACCEPTED: 5, Moment.OBSERVED: 50, Moment.SIGNED: 60}

    assert [(Moment.ACCEPTED, 5), (Moment.SIGNED, 10)] == list(durations_ms(moments))


@given(st.dictionaries(st.sampled_from(Moment), st.integers(-(2**53), 2**53)))
def test_no_hop_is_below_zero(moments: dict[Moment, int]) -> None:
    """Whatever the clocks say, a hop takes no time or some, and only hops with two known ends are told."""
    told = list(durations_ms(moments))

    assert all(took_ms >= 0 for _, took_ms in told)
    assert all(hop in moments for hop, _ in told)
