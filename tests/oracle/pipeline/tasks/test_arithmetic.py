"""The tasks multiply, divide and lessthan."""

from decimal import Decimal

import pytest

from services.oracle.pipeline.errors import TaskError
from services.oracle.pipeline.fetch import Fetcher
from tests.oracle.pipeline.adapter import result_of


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ("type=multiply input=3 times=0.5", "1.5"),
        ('type=multiply input="1234567890.123456789" times="1e9"', "1234567890123456789"),
        ("type=divide input=1 divisor=3", "0.3333333333333333"),
        ("type=divide input=1.25 divisor=10 precision=2", "0.13"),
        ('type=divide input=-1.25 divisor=10 precision="+2"', "-0.13"),
        ("type=divide input=12345 divisor=7 precision=-2", "1800"),
        ('type=divide input=1 divisor=8 precision="$(jobRun.digits)"', "0.1"),
    ],
)
async def test_results(fetcher: Fetcher, task: str, expected: str) -> None:
    """Products are exact, quotients are rounded half away from zero at their precision."""
    assert Decimal(expected) == await result_of(f"a [{task}]", fetcher, jobRun={"digits": 1})


@pytest.mark.parametrize(
    ("task", "error"),
    [
        ("type=multiply input=3", "times: parameter is empty"),
        ("type=multiply times=3", "input: index out of range"),
        ('type=multiply input="٣" times=1', "input: can't convert ٣ to decimal"),
        ("type=divide input=1 divisor=0", "attempt to divide by zero"),
        ("type=divide input=1 divisor=1 precision=1.5", 'precision: strconv.ParseInt: parsing "1.5"'),
        ("type=divide input=1 divisor=1 precision=100000", "precision: found 100000, allowed"),
        ("type=lessthan left=1", "right: parameter is empty"),
        ("type=lessthan left=x right=1", "left: can't convert x to decimal"),
    ],
)
async def test_failures(fetcher: Fetcher, task: str, error: str) -> None:
    """What cannot be computed is named by its attribute."""
    with pytest.raises(TaskError, match=error):
        await result_of(f"a [{task}]", fetcher)


@pytest.mark.parametrize(("left", "right", "less"), [("1", "2", True), ("2", "2", False), ("1.5", "1e1", True)])
async def test_lessthan(fetcher: Fetcher, left: str, right: str, less: bool) -> None:
    """Numbers are compared by value, the left one may be the input."""
    assert less is await result_of(f'a [type=lessthan left="{left}" right="{right}"]', fetcher)
    assert less is await result_of(f'a [type=memo value="{left}"] b [type=lessthan right="{right}"] a -> b', fetcher)
