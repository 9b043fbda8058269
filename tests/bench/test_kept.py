"""Kept results: what was kept is found again, and a step back is told apart from another machine and from noise."""

from pathlib import Path

import pytest

from tests.bench.kept import Kept, compared, is_step_back, keep, load
from tests.bench.report import Report, Row

RATE = Row("asked", 1_000.0, "requests/s·core", more_is_better=True)
RATIO = Row("  of the reference", 0.3, "ratio", at_least=0.25)
TIME = Row("other", 4.0, "ms", at_most=10)
OTHER_RATIO = Row("  of the reference", 0.9, "ratio")
REPORT = Report("some bench", (RATE, RATIO, TIME, OTHER_RATIO))


def test_what_is_kept_is_found_again(tmp_path: Path) -> None:
    """Rows of one name are told apart by the row that they belong to, and other benches' results stay."""
    file = tmp_path / "kept.json"
    keep(Report("another", (TIME,)), 10.0, file)
    keep(REPORT, 5.0, file)
    keep(REPORT, 6.0, file)

    assert {"another", "some bench"} == set(load(file))
    assert 6.0 == load(file)["some bench"].reference_ms
    assert {0: 1.0, 1: 1.0, 2: 1.0, 3: 1.0} == compared(REPORT, load(file)["some bench"], 6.0)
    assert {} == load(tmp_path / "missing.json")


def test_another_machine_is_no_step() -> None:
    """On a machine of half the speed, half the rate and twice the time are as before; a ratio must be the same."""
    values = {"asked": 2_000.0, "asked:  of the reference": 0.3, "other": 2.0}
    changes = compared(REPORT, Kept(5.0, values), 10.0)

    assert {0: 1.0, 1: 1.0, 2: 1.0} == changes


@pytest.mark.parametrize(
    ("row", "change", "expected"),
    [
        (RATE, 0.75, True),
        (RATE, 0.85, False),
        (RATE, 2.0, False),
        (RATIO, 0.75, True),
        (TIME, 1.3, True),
        (TIME, 1.2, False),
        (TIME, 0.1, False),
        (OTHER_RATIO, 0.1, False),
    ],
)
def test_a_step_back_is_worse_by_more_than_noise(row: Row, change: float, expected: bool) -> None:
    """Less of what is better more, more of what is better less, by a quarter; what has no direction has no back."""
    assert expected == is_step_back(row, change)
