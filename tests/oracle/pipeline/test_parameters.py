"""Where parameters come from, and what they may be."""

import pytest

from services.oracle.pipeline import parameters
from services.oracle.pipeline.errors import ParameterEmpty, TaskError
from services.oracle.pipeline.values import Memo, Value

VARIABLES = {"a": {"b": [1, {"c": "x"}]}, "bad": TaskError("no answer"), "t": "text"}


@pytest.mark.parametrize(
    ("path", "expected"), [("a.b.0", 1), ("a.b.1.c", "x"), ("t", "text"), ("a", {"b": [1, {"c": "x"}]})]
)
def test_paths(path: str, expected: Value) -> None:
    """A path leads through objects and lists."""
    assert expected == parameters.look_up(path, VARIABLES)
    assert expected == parameters.variable(f" $( {path} ) ", VARIABLES)()


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("zz", r"key zz \(segment 0 in keypath zz\): keypath not found"),
        ("a.b.c", "could not convert key 'c' to integer"),
        ("a.b.٣", "could not convert key"),
        ("a.b.2", r"index 2 out of range \(segment 2 of length 2 in keypath a.b.2\): index out of range"),
        ("a.b.-1", "index -1 out of range"),
        ("t.x", "value at key 'x' is a string, not a map or slice: keypath not found"),
        ("a..b", "while parsing keypath 'a..b': wrong keypath format"),
        ("bad", "VarExpr: no answer: too many errors"),
        ("bad.x", "value at key 'x' is a error"),
    ],
)
def test_paths_to_nothing(path: str, error: str) -> None:
    """Where a path ends is told."""
    with pytest.raises(TaskError, match=error):
        parameters.variable(f"$({path})", VARIABLES)()


@pytest.mark.parametrize("attribute", ["", "text", "$(a) $(t)", "x$(a)", "$()", "$( )"])
def test_what_is_no_variable(attribute: str) -> None:
    """A text that is not one expression and nothing else is no variable."""
    with pytest.raises(ParameterEmpty):
        parameters.variable(attribute, VARIABLES)()


def test_json_with_variables() -> None:
    """Expressions outside of texts become values; failed ones are errors, or are kept if they may be."""
    assert {"x": [1, "text"]} == parameters.json_text('{"x": [$(a.b.0), $( t )]}', VARIABLES)()
    with pytest.raises(TaskError, match="error is not allowed: no answer: bad input"):
        parameters.json_text("[$(bad)]", VARIABLES)()
    assert [VARIABLES["bad"]] == parameters.json_text("[$(bad)]", VARIABLES, keep_errors=True)()
    for bad in ('{"x": "$(t)"}', "[", '{"__chainlink_key_path__": 5}', "[" * 50_000):
        with pytest.raises(TaskError, match="bad input for task"):
            parameters.json_text(bad, VARIABLES)()


def test_the_first_source_that_has_something() -> None:
    """Sources are asked in their order; errors end the search, and carry the parameter's name."""
    sources = (parameters.text("  "), parameters.variable("t", {}), parameters.first_input(["7"]))

    assert "7" == parameters.resolve("input", parameters.to_text, *sources)
    with pytest.raises(TaskError, match="input: index out of range"):
        parameters.resolve("input", parameters.to_text, parameters.first_input([]), parameters.constant("x"))
    with pytest.raises(TaskError, match="input: no answer"):
        parameters.resolve("input", parameters.to_text, parameters.first_input([VARIABLES["bad"]]))
    with pytest.raises(TaskError, match="times: parameter is empty"):
        parameters.resolve("times", parameters.to_text, parameters.text(""))


@pytest.mark.parametrize(
    ("convert", "value", "expected"),
    [
        (parameters.to_text, Memo("x"), "x"),
        (parameters.to_bytes, Memo("0x01"), b"\1"),
        (parameters.to_bytes, "0x0", b"0x0"),
        (parameters.to_bytes, "0x 01", b"0x 01"),
        (parameters.to_bool, Memo(True), True),
        (parameters.to_bool, "F", False),
        (parameters.to_mapping, '{"a":1}', {"a": 1}),
        (parameters.to_mapping, None, None),
        (parameters.to_list, b"[1]", [1]),
        (parameters.to_list, None, []),
        (parameters.to_texts, '["a"]', ["a"]),
        (parameters.to_seconds, "1m30s", 90.0),
        (parameters.to_natural, "", None),
        (parameters.to_natural, "12", 12),
        (parameters.to_integer, Memo(-5), -5),
    ],
)
def test_conversions(convert: object, value: Value, expected: Value) -> None:
    """A value is taken where it fits, what a memo says too."""
    assert expected == convert(value)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("convert", "value", "error"),
    [
        (parameters.to_text, 5, "expected string, got int64"),
        (parameters.to_text, Memo(5), r"expected string, got pipeline\.ObjectParam"),
        (parameters.to_bool, 1, "expected true or false"),
        (parameters.to_mapping, "[1]", "expected map"),
        (parameters.to_mapping, "oops", "invalid character 'o'"),
        (parameters.to_list, 5, "expected slice"),
        (parameters.to_seconds, "soon", 'time: invalid duration "soon"'),
        (parameters.to_natural, "-1", "strconv.ParseUint"),
        (parameters.to_integer, "٣", "strconv.ParseInt"),
        (parameters.to_integer, "9" * 30, "strconv.ParseInt"),
        (parameters.to_integer, True, "expected integer, got bool"),
    ],
)
def test_what_does_not_fit(convert: object, value: Value, error: str) -> None:
    """A value that does not fit is named by its type, or by what it says."""
    with pytest.raises(TaskError, match=error):
        convert(value)  # type: ignore[operator]
