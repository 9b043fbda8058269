"""The values of pipelines and their JSON."""

import json
import subprocess
import sys
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.oracle.pipeline.errors import TaskError
from services.oracle.pipeline.json_faults import fault
from services.oracle.pipeline.values import Double, Memo, Value, dump, kind, output, parse_json, plain, told

documents = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=8),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=4), children, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12345678901234567890123", "12345678901234567890123"),
        ("65123.45678", "65123.45678"),
        ("0.10", "0.1"),
        ("-0", "0"),
        ("-0.0", "0"),
        ("1e2", "100"),
        # A node holds this as an IEEE double.
        ("123456789012345678901234567890.123456789", "123456789012345680000000000000"),
        ("0.1234567890123456789", "0.12345678901234568"),
    ],
)
def test_numbers(text: str, expected: str) -> None:
    """Whole numbers keep all digits, others are the nearest double, as every Chainlink node reads them."""
    assert expected == plain(Decimal(parse_json(text)))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "EOF"),
        (" \n", "EOF"),
        ("NaN", "invalid character 'N' looking for beginning of value"),
        ('{"x":Infinity}', "invalid character 'I' looking for beginning of value"),
        ("{oops", "invalid character 'o' looking for beginning of object key string"),
        ('{"a":1,}', "invalid character '}' looking for beginning of object key string"),
        ('{"a" 1}', "invalid character '1' after object key"),
        ('{"a":1 "b"}', "invalid character '\"' after object key:value pair"),
        ("[1 2]", "invalid character '2' after array element"),
        ("'a'", r"invalid character '\'' looking for beginning of value"),
        ('"\t"', r"invalid character '\t' in string literal"),
        (r'"\x"', "invalid character 'x' in string escape code"),
        (r'"\u12g4"', r"invalid character 'g' in \u hexadecimal character escape"),
        ("trxe", "invalid character 'x' in literal true (expecting 'u')"),
        ("-a", "invalid character 'a' in numeric literal"),
        ("[1.a]", "invalid character 'a' after decimal point in numeric literal"),
        ("[1e+a]", "invalid character 'a' in exponent of numeric literal"),
        ("é", "invalid character 'Ã' looking for beginning of value"),
        ('{"data":{"result":65123', "unexpected EOF"),
        # A body that was cut within a number is no price.
        ("65123.", "unexpected EOF"),
        ("1e", "unexpected EOF"),
        ("[" * 100_000, "exceeded max depth"),
        ('{"a":' * 100_000, "exceeded max depth"),
    ],
)
def test_what_is_no_json(text: str, reason: str) -> None:
    """What is no JSON is refused in the words of Go's decoder."""
    with pytest.raises(TaskError) as found:
        parse_json(text)

    assert reason == str(found.value)


def test_a_deep_value_never_reaches_the_decoder() -> None:
    """A limit of recursion that a library has raised does not let a deep text end the process."""
    script = (
        "import sys; sys.setrecursionlimit(200_000)\n"
        "from services.oracle.pipeline.values import parse_json\n"
        "from services.oracle.pipeline.errors import TaskError\n"
        "assert len(parse_json('[\"' + '[' * 100_000 + '\"]')[0]) == 100_000\n"
        "try: parse_json('[' * 100_000)\n"
        "except TaskError as error: print(error)\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (0, "exceeded max depth\n") == (ran.returncode, ran.stdout)


def test_too_large_numbers() -> None:
    """A number beyond every double, and one of ten thousand digits, are refused."""
    with pytest.raises(TaskError, match="value out of range"):
        parse_json('{"x":1e400}')
    with pytest.raises(TaskError, match="digits"):
        parse_json("9" * 10_000)


@pytest.mark.parametrize(("text", "value"), [('{"x":1} extra', {"x": 1}), ("5 6", 5), ('{"a":1,"a":2}', {"a": 2})])
def test_the_first_value_counts(text: str, value: Value) -> None:
    """What follows the first value does not matter, and of two equal keys the last counts."""
    assert value == parse_json(text)


def test_halves_of_pairs() -> None:
    """Half of a surrogate pair, which nobody could store or send on, becomes a replacement character."""
    assert {"\ufffd": ["\ufffd", "😀"]} == parse_json(r'{"\ud800": ["\udc00", "\ud83d\ude00"]}')


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("1.50"), '"1.5"'),
        (Double.of("2.50"), "2.5"),
        (Double.of("1e-7"), "1e-7"),
        (Double.of("-1.5e21"), "-1.5e+21"),
        (Double.of("1e20"), "100000000000000000000"),
        (Memo(2), '"2"'),
        (Memo(True), "true"),
        (b"hi", '"0x6869"'),
        ({"b": None, "a": [True, "<€>"]}, '{"a":[true,"\\u003c€\\u003e"],"b":null}'),
    ],
)
def test_json_as_the_node_writes_it(value: Value, text: str) -> None:
    """Exact decimals are texts, JSON's own numbers are numbers, keys are sorted, and nothing could be HTML."""
    assert text == dump(value).decode()


@settings(max_examples=100, deadline=None)
@given(documents)
def test_what_is_written_can_be_read(document: Value) -> None:
    """Every JSON value is read as it was written, by us and by others."""
    written = dump(document)

    assert json.loads(written) == parse_json(written.decode())


@settings(max_examples=100, deadline=None)
@given(documents, st.data())
def test_what_is_cut_is_no_value(document: Value, data: st.DataObject) -> None:
    """An object or list whose end was cut off is refused, wherever it was cut."""
    text = dump([document]).decode()
    cut = text[: data.draw(st.integers(0, len(text) - 1))]

    with pytest.raises(TaskError):
        parse_json(cut)
    assert fault(cut) in ("EOF", "unexpected EOF")


def test_too_deep_to_write() -> None:
    """A value as deep as no recursion can follow is an error of the task."""
    value: Value = []
    for _ in range(100_000):
        value = [value]

    with pytest.raises(TaskError, match="max depth"):
        dump(value)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        (True, None),
        ([1], None),
        (5, "5"),
        (Decimal("4.50"), "4.5"),
        ("text", "text"),
        ({"a": 1}, '{"a":1}'),
        (b"\x01", "0x01"),
        (Memo({"k": [1]}), '{"k":[1]}'),
    ],
)
def test_outputs(value: Value, shown: str | None) -> None:
    """A result is shown as text; of a truth and of a list the node shows nothing."""
    assert shown == output(value)


@pytest.mark.parametrize(
    ("value", "name", "text"),
    [
        (None, "<nil>", "<nil>"),
        (True, "bool", "true"),
        (5, "int64", "5"),
        (2**63, "uint64", "9223372036854775808"),
        (2**64, "*big.Int", "18446744073709551616"),
        (Double.of("0.5"), "float64", "0.5"),
        (Decimal("1.0"), "decimal.Decimal", "1"),
        ("a", "string", "a"),
        (b"\x01\x02", "[]uint8", "[1 2]"),
        ([1, "a"], "[]interface {}", "[1 a]"),
        ({"b": 1, "a": None}, "map[string]interface {}", "map[a:<nil> b:1]"),
        (Memo(1), "pipeline.ObjectParam", '"1"'),
    ],
)
def test_values_in_errors(value: Value, name: str, text: str) -> None:
    """Errors name types and values as Go does."""
    assert (name, text) == (kind(value), told(value))
