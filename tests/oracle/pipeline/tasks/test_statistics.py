"""Tasks over several inputs, some of which may have failed."""

import asyncio
from decimal import Decimal

import pytest

from services.oracle.pipeline.errors import TaskError
from services.oracle.pipeline.fetch import Fetcher
from tests.oracle.pipeline.adapter import Adapter, result_of, results_of
from tests.waiting import until

FAILS = "bad [type=fail msg=x]"


@pytest.mark.parametrize(
    ("values", "results", "occurrences"),
    [
        ("[1, 2, 2, 3]", [2], 2),
        ("[1, 1.0, 2]", [Decimal("1.0")], 2),
        ('["b", "a", "a", "b"]', ["a", "b"], 2),
        ("[3, 1]", [3, 1], 1),
        ("[true, true, 1]", [True], 2),
        ('[{"x": 1, "y": 2}, {"y": 2, "x": 1}, 5]', [{"x": 1, "y": 2}], 2),
        ("[null, null, 1]", [None], 2),
    ],
)
async def test_mode(fetcher: Fetcher, values: str, results: list[object], occurrences: int) -> None:
    """The most frequent values come in the order in which they got so frequent; numbers are equal by value."""
    found = await result_of(f"m [type=mode values=<{values}>]", fetcher)

    assert occurrences == found["occurrences"]
    assert len(results) == len(found["results"])
    assert all(expected == actual for expected, actual in zip(results, found["results"], strict=True))


@pytest.mark.parametrize("kind", ["median", "mean", "sum", "mode"])
async def test_faults(fetcher: Fetcher, kind: str) -> None:
    """As many inputs may fail as are allowed, by default all but one; with none left there is no result."""
    source = f"{FAILS} a [type=memo value=7] b [type=memo value=7] a -> m; b -> m; bad -> m;"

    assert await result_of(source + f"m [type={kind}]", fetcher) is not None
    counts = f"Number of faulty inputs 1 to {kind} task > number allowed faults 0: too many errors"
    with pytest.raises(TaskError, match=counts):
        await result_of(source + f"m [type={kind} allowedFaults=0]", fetcher)
    with pytest.raises(TaskError, match="wrong number of task inputs"):
        await result_of(f"{FAILS} m [type={kind} allowedFaults=1] bad -> m", fetcher)
    with pytest.raises(TaskError, match=r'allowedFaults: strconv\.ParseUint: parsing "٣": invalid syntax'):
        await result_of(source + f'm [type={kind} allowedFaults="٣"]', fetcher)


async def test_a_mode_can_be_looked_into(fetcher: Fetcher) -> None:
    """The parts of the result are variables."""
    source = (
        'm [type=mode values=<[5, 5]>] out [type=multiply input="$(m.results.0)" times="$(m.occurrences)"] m -> out'
    )

    # The edge of a variable's own task is an input too, which multiply does not mind.
    assert Decimal(10) == await result_of(source, fetcher)


async def test_lax_and_values(adapter: Adapter, fetcher: Fetcher) -> None:
    """A missing value is nothing with lax, and `values` names the inputs instead of edges."""
    adapter.says("/a", {"x": [1, 2, "30"]})
    source = """
        a [type=bridge name=a] p [type=jsonparse data="$(a)" path="x,-1"]
        q [type=jsonparse data="$(a)" path="y" lax=true]
    """

    assert Decimal(30) == await result_of(source + 'm [type=median values="[ $(p), $(q) ]" lax=true]', fetcher)
    with pytest.raises(TaskError, match=r"type <nil> cannot be converted to decimal\.Decimal"):
        await result_of(source + "m [type=median values=<[ $(p), $(q) ]>]", fetcher)
    results = await results_of(source + "m [type=median values=<[ $(q) ]> lax=true]", fetcher)
    assert results["m"] is None
    with pytest.raises(TaskError, match="values: type <nil> cannot be converted"):
        await result_of(source + "m [type=mean values=<[ $(p), $(q) ]> lax=true]", fetcher)


async def test_failed_variables_are_faults(fetcher: Fetcher) -> None:
    """A variable of `values` whose task failed is a fault like a failed input."""
    source = f"{FAILS} a [type=memo value=3] "

    assert Decimal(3) == await result_of(source + "m [type=median values=<[$(a), $(bad)]>]", fetcher)
    with pytest.raises(TaskError, match="Number of faulty inputs 1"):
        await result_of(source + "m [type=median values=<[$(a), $(bad)]> allowedFaults=0]", fetcher)


async def test_precision_of_a_mean(fetcher: Fetcher) -> None:
    """A mean has as many digits as it is told, or sixteen."""
    assert Decimal("2.33") == await result_of("m [type=mean values=<[1,2,4]> precision=2]", fetcher)
    assert Decimal(0) == await result_of("m [type=mean values=<[1,2,4]> precision=-1]", fetcher)
    assert Decimal("2.3333333333333333") == await result_of("m [type=mean values=<[1,2,4]>]", fetcher)
    with pytest.raises(TaskError, match=r'precision: strconv\.ParseInt: parsing "x"'):
        await result_of("m [type=mean values=<[1]> precision=x]", fetcher)


async def test_sources_are_asked_at_once(adapter: Adapter, fetcher: Fetcher) -> None:
    """Tasks that do not need each other run at the same time: all have asked before one is answered."""
    for name, value in zip("abc", ("1", "2", "9"), strict=True):
        adapter.says(f"/{name}", value, hangs=True)
    source = "a [type=bridge name=a] b [type=bridge name=b] c [type=bridge name=c] a -> m b -> m c -> m "

    running = asyncio.ensure_future(result_of(source + "m [type=median]", fetcher))
    await until(lambda: len(adapter.received) == 3, "all three are asked")
    adapter.go_on.set()
    assert Decimal(2) == await running
    assert Decimal(4) == await result_of(source + "m [type=mean]", fetcher)
    assert Decimal(12) == await result_of(source + "m [type=sum]", fetcher)
