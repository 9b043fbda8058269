"""The tasks ethabiencode and ethabidecode."""

from typing import Any

import pytest
from eth_abi.abi import encode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.oracle.pipeline.errors import TaskError
from services.oracle.pipeline.fetch import Fetcher
from services.oracle.pipeline.values import Double
from tests.oracle.pipeline.adapter import result_of

ADDRESS = "0x" + "ab" * 20


async def encoded(fetcher: Fetcher, abi: str, data: dict[str, Any]) -> Any:
    """Return the hex digits of the data."""
    return await result_of(f'a [type=ethabiencode abi="{abi}" data="$(jobRun.data)"]', fetcher, jobRun={"data": data})


@pytest.mark.parametrize(
    ("abi", "data", "types", "values"),
    [
        ("(uint256 v)", {"v": "5"}, ["uint256"], [5]),
        ("(uint v, int8 w)", {"v": Double.of("5.0"), "w": -1}, ["uint256", "int8"], [5, -1]),
        ("(string s, bytes b)", {"s": "hi", "b": "0x6869"}, ["string", "bytes"], ["hi", b"hi"]),
        ("(bytes b)", {"b": "hi"}, ["bytes"], [b"hi"]),
        ("(address a, bool t)", {"a": ADDRESS, "t": "true"}, ["address", "bool"], [ADDRESS, True]),
        ("(bytes4 b)", {"b": "0x01020304"}, ["bytes4"], [b"\1\2\3\4"]),
        ("(uint64[] v)", {"v": [1, "2", 3]}, ["uint64[]"], [[1, 2, 3]]),
        ("(uint8[2][] memory v)", {"v": [[1, 2], [3, 4]]}, ["uint8[2][]"], [[[1, 2], [3, 4]]]),
        ("( )", {}, [], []),
    ],
)
async def test_encoding(
    fetcher: Fetcher, abi: str, data: dict[str, Any], types: list[str], values: list[object]
) -> None:
    """Values by name become the arguments' bytes, converted where the node converts."""
    assert "0x" + encode(types, values).hex() == await encoded(fetcher, abi, data)


async def test_a_function_has_its_selector(fetcher: Fetcher) -> None:
    """With a name the first four bytes are those of the function."""
    found = await encoded(fetcher, "transfer(address to, uint256 value)", {"to": ADDRESS, "value": 1})

    assert found.startswith("0xa9059cbb")
    assert 2 + 2 * (4 + 64) == len(found)


@pytest.mark.parametrize(
    ("abi", "data", "error"),
    [
        ("(uint256 v)", {}, "argument 'v' is missing"),
        ("(uint256)", {"v": 1}, "missing argument name"),
        ("(uint256 v w)", {"v": 1}, "too many components"),
        ("(uint256 v,)", {"v": 1}, "empty argument"),
        ("nothing", {}, "bad ABI specification"),
        ("(uint7 v)", {"v": 1}, "bad ABI specification: uint7"),
        ("(uint8 v)", {"v": 256}, "could not ABI encode"),
        ("(uint8 v)", {"v": "x"}, "can't convert x to decimal"),
        ("(uint8 v)", {"v": None}, "cannot be converted"),
        ("(address a)", {"a": "0x12"}, "incorrect length: expected 20, got 1"),
        ("(bytes4 a)", {"a": 5}, "cannot convert int64"),
        ("(bool t)", {"t": 5}, "expected true or false"),
        ("(uint8[2] v)", {"v": [1]}, "incorrect length: expected 2, got 1"),
        ("(uint8[] v)", {"v": 1}, "cannot convert int64"),
        ("(" + "uint256 v," * 200 + "uint256 w)", {"v": 1}, "201 arguments"),
    ],
)
async def test_what_cannot_be_encoded(fetcher: Fetcher, abi: str, data: dict[str, Any], error: str) -> None:
    """What does not fit is named by its argument."""
    with pytest.raises(TaskError, match=error):
        await encoded(fetcher, abi, data)


async def test_decoding(fetcher: Fetcher) -> None:
    """Bytes, or hex digits, become values by name."""
    data = "0x" + encode(["uint256", "address", "bytes4", "uint8[]"], [7, ADDRESS, b"\1\2\3\4", [1, 2]]).hex()
    source = 'a [type=ethabidecode abi="uint256 n, address a, bytes4 b, uint8[] l" data="$(jobRun.data)"]'

    assert {"n": 7, "a": ADDRESS, "b": b"\1\2\3\4", "l": [1, 2]} == await result_of(
        source, fetcher, jobRun={"data": data}
    )
    for bad in ("0x01", "", None):
        with pytest.raises(TaskError, match="ETHABIDecode"):
            await result_of(source, fetcher, jobRun={"data": bad})


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["uint256", "int8", "address", "bytes4", "bytes", "string", "bool", "uint8[2]", "int[][2]"]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=50) | st.floats(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
        max_leaves=5,
    ),
)
async def test_any_value(fetcher: Fetcher, type_: str, value: Any) -> None:
    """Whatever is given for an argument is encoded or is an error of the task."""
    value = None if isinstance(value, float) else value
    try:
        found = await encoded(fetcher, f"({type_} v)", {"v": value})
    except TaskError:
        return
    assert found.startswith("0x")
