"""Tasks that choose or pass on values."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from services.oracle.pipeline.errors import SpecificationError, TaskError
from services.oracle.pipeline.fetch import Fetcher
from services.oracle.pipeline.graph import Pipeline
from services.oracle.pipeline.run import observation, run

FAILS = "bad [type=divide input=1 divisor=0]"


@pytest.fixture(name="fetcher")
async def _fetcher() -> AsyncIterator[Fetcher]:
    """Give a fetcher that knows no bridge."""
    async with aiohttp.ClientSession() as session:
        yield Fetcher(session, lambda _name: None, default_timeout_s=1.0, max_bytes=100)


async def result_of(source: str, fetcher: Fetcher, **jobrun: Any) -> Any:
    """Return the terminal task's result, or raise the error it ended with."""
    pipeline = Pipeline.parse(source)
    found = (await run(pipeline, fetcher, {"jobRun": jobrun}, 2.0))[pipeline.terminal]
    if isinstance(found, TaskError):
        raise found
    return found


@pytest.mark.parametrize(
    ("values", "results", "occurrences"),
    [
        ("[1, 2, 2, 3]", [2], 2),
        ("[1, 1.0, 2]", [Decimal("1.0")], 2),
        ('["b", "a", "a", "b"]', ["a", "b"], 2),
        ("[3, 1]", [3, 1], 1),
        ("[true, true, 1]", [True], 2),
        ('[{"x": 1, "y": 2}, {"y": 2, "x": 1}, 5]', [{"x": 1, "y": 2}], 2),
    ],
)
async def test_mode(fetcher: Fetcher, values: str, results: list[object], occurrences: int) -> None:
    """The most frequent values come in the order in which they got so frequent; numbers are equal by value."""
    found = await result_of(f"m [type=mode values=<{values}>]", fetcher)

    assert occurrences == found["occurrences"]
    assert len(results) == len(found["results"])
    assert all(expected == actual for expected, actual in zip(results, found["results"], strict=True))


async def test_mode_bears_faults(fetcher: Fetcher) -> None:
    """As many inputs may fail as are allowed, by default all but one."""
    source = f"{FAILS} a [type=memo value=7] b [type=memo value=7] a -> m; b -> m; bad -> m;"

    assert {"results": [7], "occurrences": 2} == await result_of(source + "m [type=mode]", fetcher)
    with pytest.raises(TaskError, match="number of faulty inputs 1 > number allowed faults 0"):
        await result_of(source + "m [type=mode allowedFaults=0]", fetcher)


async def test_a_mode_can_be_looked_into(fetcher: Fetcher) -> None:
    """The parts of the result are variables."""
    source = (
        'm [type=mode values=<[5, 5]>] out [type=multiply input="$(m.results.0)" times="$(m.occurrences)"] m -> out'
    )

    assert Decimal(10) == await result_of(source, fetcher)


async def test_any(fetcher: Fetcher) -> None:
    """Some good input is chosen, each of them at times; failed ones never."""
    source = f"{FAILS} a [type=memo value=1] b [type=memo value=2] m [type=any] a -> m; b -> m; bad -> m;"
    found = {await result_of(source, fetcher) for _ in range(60)}

    assert {1, 2} == found


async def test_any_of_nothing(fetcher: Fetcher) -> None:
    """Without a good input there is nothing to choose."""
    with pytest.raises(TaskError, match="all failed: attempt to divide by zero"):
        await result_of(f"{FAILS} m [type=any] bad -> m", fetcher)
    with pytest.raises(TaskError, match="there are none"):
        await result_of("m [type=any]", fetcher)


async def test_memo(fetcher: Fetcher) -> None:
    """A memo says its value, a variable, JSON with variables, or what comes in."""
    assert Decimal("65.9") == await result_of("m [type=memo value=65.9]", fetcher)
    assert 3 == await result_of('m [type=memo value="$(jobRun.x)"]', fetcher, x=3)
    assert {"a": [3, "t"]} == await result_of('m [type=memo value=<{"a": [$(jobRun.x), "t"]}>]', fetcher, x=3)
    assert 4 == await result_of("a [type=memo value=4] m [type=memo] a -> m", fetcher)
    with pytest.raises(TaskError, match="not JSON"):
        await result_of("m [type=memo value=what]", fetcher)
    with pytest.raises(TaskError, match="wrong number of inputs: 0"):
        await result_of("m [type=memo]", fetcher)


async def test_memo_as_observation(fetcher: Fetcher) -> None:
    """A constant may be a feed."""
    pipeline = Pipeline.parse("m [type=memo value=65.9]")

    assert 65 == observation(pipeline, await run(pipeline, fetcher, {}, 1.0))


@pytest.mark.parametrize("kind", ["any", "mode", "memo"])
def test_unknown_attributes(kind: str) -> None:
    """An attribute that the task does not have is named."""
    with pytest.raises(SpecificationError, match=r"observationSource\.m\.colour: found 'red'"):
        Pipeline.parse(f"m [type={kind} colour=red]")
