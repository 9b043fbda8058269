"""The bench of growth: its fit finds exponents, and a small committee's messages are those of the protocol."""

import math

import pytest

from tests.bench.growth import Cell, exponent, exponent_rows, measure


@pytest.mark.parametrize("power", [0.5, 1, 2, 3])
def test_the_exponent_of_a_power_is_found(power: float) -> None:
    """Whatever the factor."""
    assert math.isclose(power, exponent([(x, 7 * x**power) for x in (4, 7, 16, 31)]), abs_tol=1e-9)


@pytest.mark.parametrize(("power", "reached"), [(2, True), (3, False)])
def test_growth_beyond_the_protocols_is_seen(power: int, reached: bool) -> None:
    """Echoes that grow with the cube of n miss the target, those that grow with its square reach it."""
    cells = [Cell(feeds, n, n - 1, n**power, n**2, n, n**2, 50.0) for n in (4, 7, 16, 31) for feeds in (1, 260)]
    (row,) = [row for row in exponent_rows(cells) if row.name.startswith("echoes")]

    assert reached is row.is_reached


def test_a_round_of_four_has_the_messages_of_the_protocol() -> None:
    """Of two feeds: three observations and twelve echoes a round, and three rows an oracle."""
    cell = measure(2, 4)

    assert (3, 12, 12) == (cell.observations, cell.echoes, cell.rows)
    assert cell.cpu_ms > 0
