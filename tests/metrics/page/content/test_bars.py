"""A round's way as a bar."""

from hypothesis import given
from hypothesis import strategies as st

from meshkit.ocr.hops import Moment
from services.metrics.page.content.bars import WIDTH, bar


def test_each_hop_is_as_long_as_it_took() -> None:
    """Two hops of 100 and 300 ms have a quarter and three quarters of the bar, and say how long they took."""
    cell = bar({Moment.TRANSMITTED: 5100, Moment.INCLUDED: 5400, Moment.SIGNED: 5000})

    found = [(part.hop, part.x, part.width, part.words) for part in cell.parts]
    assert [("transmitted", 0, 50, "transmitted 100 ms"), ("included", 50, 150, "in a block 300 ms")] == found
    assert "0.40 s" == cell.text


@given(st.dictionaries(st.sampled_from(Moment), st.integers(0, 10**13)))
def test_any_times_fit(moments_ms: dict[Moment, int]) -> None:
    """Whatever times are known, the hops are in order and within the bar, or it says that nothing is known."""
    cell = bar(moments_ms)

    ends = [(part.x, part.x + part.width) for part in cell.parts]
    assert all(0 <= begin < end <= WIDTH + 1 for begin, end in ends)
    assert sorted(begin for begin, _ in ends) == [begin for begin, _ in ends]
    assert bool(cell.parts) == (cell.text != "not known")
