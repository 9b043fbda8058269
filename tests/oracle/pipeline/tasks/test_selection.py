"""Tasks that choose values, pass them on, or refuse to."""

from decimal import Decimal

import pytest

from services.oracle.pipeline.errors import TaskError
from services.oracle.pipeline.fetch import Fetcher
from services.oracle.pipeline.graph import Pipeline
from services.oracle.pipeline.run import observation
from services.oracle.pipeline.values import unwrapped
from tests.oracle.pipeline.adapter import result_of, results_of

FAILS = "bad [type=fail msg=x]"


async def test_any(fetcher: Fetcher) -> None:
    """Some good input is chosen, each of them at times; failed ones never."""
    source = f"{FAILS} a [type=memo value=1] b [type=memo value=2] m [type=any] a -> m; b -> m; bad -> m;"
    found = {unwrapped(await result_of(source, fetcher)) for _ in range(60)}

    assert {1, 2} == found


async def test_any_of_nothing(fetcher: Fetcher) -> None:
    """Without a good input there is nothing to choose."""
    with pytest.raises(TaskError, match="zero non-errored inputs"):
        await result_of(f"{FAILS} m [type=any] bad -> m", fetcher)
    with pytest.raises(TaskError, match="at least 1 input"):
        await result_of("m [type=any]", fetcher)


async def test_memo(fetcher: Fetcher) -> None:
    """A memo says its value, JSON with variables, or what comes in; of nothing but a variable it says the name."""
    job_run = {"x": 3}
    assert Decimal("65.9") == unwrapped(await result_of("m [type=memo value=65.9]", fetcher))
    # As a real node does, whether that is of use or not.
    named = {"__chainlink_key_path__": "jobRun.x"}
    assert named == unwrapped(await result_of('m [type=memo value="$(jobRun.x)"]', fetcher, jobRun=job_run))
    with pytest.raises(TaskError, match="keypath not found"):
        await result_of('m [type=memo value="$(jobRun.y)"]', fetcher, jobRun=job_run)
    nested = 'm [type=memo value=<{"a": [$(jobRun.x), "t"]}>]'
    assert {"a": [3, "t"]} == unwrapped(await result_of(nested, fetcher, jobRun=job_run))
    assert 4 == unwrapped(await result_of("a [type=memo value=4] m [type=memo] a -> m", fetcher))
    with pytest.raises(TaskError, match="value: while unmarshalling JSON: invalid character 'w'"):
        await result_of("m [type=memo value=what]", fetcher)
    with pytest.raises(TaskError, match="value: index out of range"):
        await result_of("m [type=memo]", fetcher)


async def test_a_memo_cannot_be_looked_into(fetcher: Fetcher) -> None:
    """What a memo says can be computed with, but its parts are nobody's, as with the node."""
    memo = 'a [type=memo value=<{"k": 9}>] '
    with pytest.raises(TaskError, match=r"unexpected input type: pipeline\.ObjectParam"):
        await result_of(memo + "b [type=lookup key=k] a -> b", fetcher)
    with pytest.raises(TaskError, match=r"value at key 'k' is a pipeline\.ObjectParam, not a map or slice"):
        await result_of(memo + 'b [type=multiply input="$(a.k)" times=2]', fetcher)
    assert {"k": 8} == await result_of(memo + 'b [type=merge right="{\\"k\\":8}"] a -> b', fetcher)


async def test_memo_as_observation(fetcher: Fetcher) -> None:
    """A constant may be a feed."""
    source = "m [type=memo value=65.9]"

    assert 65 == observation(Pipeline.parse(source), await results_of(source, fetcher))


async def test_conditional(fetcher: Fetcher) -> None:
    """A condition passes when it is true, as a value or as a text of one; everything else fails."""
    assert await result_of("a [type=lessthan left=1 right=2] c [type=conditional] a -> c", fetcher) is True
    assert await result_of('c [type=conditional data="$(jobRun.x)"]', fetcher, jobRun={"x": "t"}) is True
    with pytest.raises(TaskError, match="conditional was not satisfied"):
        await result_of("a [type=lessthan left=2 right=1] c [type=conditional] a -> c", fetcher)
    with pytest.raises(TaskError, match="data: index out of range"):
        await result_of("c [type=conditional data=true]", fetcher)
    with pytest.raises(TaskError, match=r'data: strconv\.ParseBool: parsing "maybe"'):
        await result_of('c [type=conditional data="$(jobRun.x)"]', fetcher, jobRun={"x": "maybe"})
    with pytest.raises(TaskError, match="data: expected true or false, got int64"):
        await result_of('c [type=conditional data="$(jobRun.x)"]', fetcher, jobRun={"x": 1})


async def test_merge_and_lookup(fetcher: Fetcher) -> None:
    """Two objects become one, the right one's fields over the left one's, and a field is taken out of it."""
    source = """
        m [type=merge left=<{"a": 1, "b": 2}> right="$(jobRun.x)"]
        l [type=lookup key=b]
        n [type=lookup key=nothing]
        m -> l; m -> n
    """
    results = await results_of(source, fetcher, jobRun={"x": {"b": None, "c": 3}})

    assert {"a": 1, "b": None, "c": 3} == results["m"]
    assert results["l"] is None
    assert results["n"] is None
    with pytest.raises(TaskError, match="right-side: parameter is empty"):
        await result_of("m [type=merge left=<{}>]", fetcher)
    with pytest.raises(TaskError, match=r"left-side: expected map, got \[\]interface {}"):
        await result_of("m [type=merge left=<[1]> right=<{}>]", fetcher)
