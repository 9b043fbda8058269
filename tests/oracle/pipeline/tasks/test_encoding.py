"""Tasks that write texts and bytes in another form."""

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.oracle.pipeline.errors import TaskError
from services.oracle.pipeline.fetch import Fetcher
from services.oracle.pipeline.tasks import encoding
from services.oracle.pipeline.values import Value
from tests.oracle.pipeline.adapter import result_of


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("length", "héllo", Decimal(6)),
        ("length", "0x6869", Decimal(2)),
        ("length", None, Decimal(0)),
        ("uppercase", "Btc/usd", "BTC/USD"),
        ("lowercase", b"BTC", "btc"),
        ("hexencode", "hi", "0x6869"),
        ("hexencode", "", ""),
        ("hexencode", b"\x00\x01", "0x0001"),
        ("hexencode", 255, "0xff"),
        ("hexencode", Decimal("16.0"), "0x10"),
        ("hexdecode", "0x6869", b"hi"),
        ("base64encode", "hi", "aGk="),
        ("base64encode", b"\xff", "/w=="),
        ("base64decode", "aGk=", b"hi"),
    ],
)
async def test_conversions(fetcher: Fetcher, kind: str, value: Value, expected: Value) -> None:
    """Each task converts its input, a text or bytes or, to hex digits, a whole number."""
    assert expected == await result_of(f'a [type={kind} input="$(jobRun.x)"]', fetcher, jobRun={"x": value})


@pytest.mark.parametrize(
    ("kind", "value", "error"),
    [
        ("length", 5, "input: expected array of bytes, got int64"),
        ("uppercase", 5, "input: expected string, got int64"),
        ("lowercase", None, "input: expected string, got <nil>"),
        ("hexencode", Decimal("1.5"), "decimal input"),
        ("hexencode", -1, "negative integer"),
        ("hexencode", True, "input: expected array of bytes, got bool"),
        ("hexdecode", "6869", "hex string must have prefix 0x"),
        ("hexdecode", "0x686", "failed to decode hex string: encoding/hex: odd length"),
        ("hexdecode", "0xzz", "failed to decode hex string: encoding/hex: invalid byte"),
        ("base64decode", "a", "failed to decode base64 string"),
        ("base64decode", "é", "failed to decode base64 string"),
    ],
)
async def test_failures(fetcher: Fetcher, kind: str, value: Value, error: str) -> None:
    """What a task cannot convert is an error of the task."""
    with pytest.raises(TaskError, match=error):
        await result_of(f'a [type={kind} input="$(jobRun.x)"]', fetcher, jobRun={"x": value})


async def test_the_input_of_a_task(fetcher: Fetcher) -> None:
    """Without an attribute the input counts, what a memo says too; two inputs are too many."""
    memo = 'a [type=memo value=<"hi">] '

    assert "HI" == await result_of(memo + "b [type=uppercase] a -> b", fetcher)
    assert "0x6869" == await result_of(memo + "b [type=hexencode] a -> b", fetcher)
    with pytest.raises(TaskError, match=r"min: 0 max: 1 \(got 2\)"):
        await result_of(memo + "c [type=memo value=1] b [type=uppercase] a -> b; c -> b", fetcher)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=40))
def test_there_and_back(data: bytes) -> None:
    """Bytes come back as they were from hex digits and from Base64."""
    assert data == (encoding.hex_decode(encoding.hex_encode(data)) if data else b"")
    assert data == encoding.base64_decode(encoding.base64_encode(data))
