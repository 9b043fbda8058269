"""Answers as a line."""

from decimal import Decimal
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cli.feeds import chart
from cli.feeds.chart import Point

PRICES = st.decimals(min_value=-(10**9), max_value=10**12, places=8)
POINTS = st.lists(st.tuples(st.integers(0, 10**6), PRICES), min_size=1, max_size=20).map(
    lambda rows: [Point(1_700_000_000 + at_s, price) for at_s, price in sorted(rows)]
)


@given(POINTS, st.integers(2, 60), st.integers(2, 40))
def test_the_line_stays_in_its_place(points: list[Point], width: int, height: int) -> None:
    """Each column has a height, the last one that of the last answer, and nothing is above or below the image."""
    found = chart.heights(points, width, height)

    assert width == len(found)
    assert all(0 <= each < height for each in found)
    prices = [each.price for each in points]
    if max(prices) > min(prices):
        share = (points[-1].price - min(prices)) / (max(prices) - min(prices))
        assert abs(found[-1] - share * (height - 1)) <= 1


def test_an_answer_holds_until_the_next() -> None:
    """Between two answers the line is level, whatever comes after."""
    points = [Point(0, Decimal(1)), Point(8, Decimal(2)), Point(10, Decimal(3))]

    assert [0] * 8 + [2] * 2 + [4] == chart.heights(points, 11, 5)


def test_a_terminal_shows_prices_and_times() -> None:
    """The highest price is at the top, the lowest at the bottom, and the times are below."""
    shown = chart.lines([Point(0, Decimal("1.50")), Point(60, Decimal("12.25"))], 60, 3)

    assert 4 == len(shown)
    assert shown[0].startswith("12.25 ")
    assert shown[2].startswith(" 1.50 ")
    assert {60} == {len(line) for line in shown}
    assert "1970-01-01 00:00:00" in shown[3]
    assert shown[3].endswith("1970-01-01 00:01:00")


def test_an_image_shows_the_line(tmp_path: Path) -> None:
    """The image has the line's colour where the price is, and not where it is not."""
    chart.png([Point(0, Decimal(1)), Point(10, Decimal(2))], "BTC / USD", tmp_path / "x.png")

    with Image.open(tmp_path / "x.png") as image:
        pixels = image.convert("RGB")
        assert (1000, 400) == pixels.size
        line = (0x37, 0x5B, 0xD2)
        below = [pixels.getpixel((300, y)) == line for y in range(340, 360)]
        above = [pixels.getpixel((300, y)) == line for y in range(40, 330)]
    assert any(below)
    assert not any(above)


def test_one_answer_is_a_line_too() -> None:
    """A feed with one answer shows it as a level line."""
    assert [2, 2, 2] == chart.heights([Point(5, Decimal(7))], 3, 5)
