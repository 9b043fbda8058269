"""The points of the small plots."""

from hypothesis import given
from hypothesis import strategies as st

from services.metrics.page.content.history import HEIGHT, LONGEST_STEP_S, MOST_POINTS, WIDTH, FeedHistory, lines, words


def test_points_are_bounded_and_reach_back() -> None:
    """A day of looks each five seconds is kept in few points of two hours and more, in the order of their times."""
    history = FeedHistory()
    for at_s in range(0, 86_400, 5):
        history.add(float(at_s), "1", None)

    times = [point.at_s for point in history.points]
    assert len(times) <= MOST_POINTS
    assert times[-1] - times[0] >= (MOST_POINTS - 2) * LONGEST_STEP_S * 0.9
    assert sorted(times) == times


def test_a_clock_that_is_set_back_begins_anew() -> None:
    """Points of the future are dropped: a line goes from left to right."""
    history = FeedHistory()
    kept = [history.add(at_s, "1", "2") for at_s in (100.0, 101.0, 105.0, 50.0)]

    assert ([True, False, True, True], [50.0]) == (kept, [point.at_s for point in history.points])


@given(st.lists(st.tuples(st.one_of(st.none(), st.decimals(allow_nan=False, allow_infinity=False)), st.booleans())))
def test_lines_stay_in_their_box(values: list[tuple[object, bool]]) -> None:
    """Whatever prices come, each point of both lines is within the drawing."""
    history = FeedHistory()
    for index, (value, is_market) in enumerate(values):
        text = None if value is None else str(value)
        history.add(index * 5.0, None if is_market else text, text if is_market else None)

    for line in lines(history.points) if history.points else ():
        for spot in line.split():
            x, y = map(float, spot.split(","))
            assert 0 <= x <= WIDTH
            assert 0 <= y <= HEIGHT


def test_what_a_plot_says() -> None:
    """The range and the time of a plot are said in words; what is no number is no point."""
    history = FeedHistory()
    for index, price in enumerate(["1.5", "NaN", "", "2.25"]):
        history.add(index * 60.0, price, None)

    assert ("1.5 to 2.25 in 3 min", history.drawn[1]) == (words(history.points), words(history.points))
    assert ("0.0,26.0 120.0,2.0", "") == lines(history.points)
    assert ((), "") == (lines(history.points[:1]), words(history.points[:1]))
