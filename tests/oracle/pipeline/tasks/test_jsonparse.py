"""The jsonparse task."""

from typing import Any

import pytest

from services.oracle.pipeline.errors import TaskError
from services.oracle.pipeline.fetch import Fetcher
from tests.oracle.pipeline.adapter import result_of


async def parsed(fetcher: Fetcher, data: Any, attributes: str) -> Any:
    """Return what the task finds in the data."""
    return await result_of(f'p [type=jsonparse data="$(jobRun.data)" {attributes}]', fetcher, jobRun={"data": data})


@pytest.mark.parametrize(
    ("data", "attributes", "expected"),
    [
        ('{"x": [1, 2, "30"]}', 'path="x,-1"', "30"),
        ('{"x": [1, 2]}', 'path="x,+1"', 2),
        ('{"a.b": {"c": 1}}', 'path="a.b|c" separator="|"', 1),
        ('{"a": 1}', 'path="b" lax=true', None),
        ('{"a": [1]}', 'path="a,5" lax=true', None),
        ('{"a": [1]}', 'path="a,99999999999999999999999" lax=true', None),
        ("5", "", 5),
        ("0x" + b'{"v":1}'.hex(), "path=v", 1),
        (b'{"v":1}', "path=v", 1),
        ('{"": 1}', 'path=","', TaskError),
    ],
)
async def test_paths(fetcher: Fetcher, data: object, attributes: str, expected: object) -> None:
    """A path of keys and indexes is followed, from the end too; with lax what is missing is nothing."""
    if expected is TaskError:
        with pytest.raises(TaskError):
            await parsed(fetcher, data, attributes)
        return

    assert expected == await parsed(fetcher, data, attributes)


@pytest.mark.parametrize(
    ("data", "attributes", "error"),
    [
        ('{"a": 1}', 'path="b"', r'could not resolve path \["b"\] in {"a": 1}: keypath not found'),
        ('{"a": 1}', 'path="b,c" lax=true', "could not resolve path"),
        ('{"a": [1]}', 'path="a,x" lax=true', "x is not a valid array index"),
        ('{"a": [1]}', 'path="a,٣"', "٣ is not a valid array index"),
        ('{"a": 1}', "path=a lax=perhaps", "lax: strconv.ParseBool"),
        (None, "path=a", "EOF"),
        (5, "path=a", "data: expected array of bytes, got int64"),
        ("[" * 100_000, "path=a", "exceeded max depth"),
    ],
)
async def test_failures(fetcher: Fetcher, data: object, attributes: str, error: str) -> None:
    """What is not there, or no JSON, is named."""
    with pytest.raises(TaskError, match=error):
        await parsed(fetcher, data, attributes)


async def test_a_path_of_a_variable(fetcher: Fetcher) -> None:
    """A path may be a variable: a text, or a list of keys."""
    variables = {"data": '{"a": {"b": 7}}', "text": "a,b", "list": ["a", "b"]}
    for name in ("text", "list"):
        source = f'p [type=jsonparse data="$(jobRun.data)" path="$(jobRun.{name})"]'
        assert 7 == await result_of(source, fetcher, jobRun=variables)
