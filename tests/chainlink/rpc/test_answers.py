"""What counts as an answer, a quantity, and bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainlink.rpc.answers import blob, quantity, result_of
from chainlink.rpc.errors import Malformed, RpcRefused

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=7), inner, max_size=3),
    max_leaves=8,
)


@given(st.integers(min_value=0), st.binary(max_size=40))
def test_what_is_written_is_read(number: int, data: bytes) -> None:
    """Every quantity and every byte string comes back as it was."""
    assert number == quantity(hex(number))
    assert data == blob("0x" + data.hex())


@pytest.mark.parametrize("text", ["", "0x", "12", "-0x1", "0x-1", "0x1_0", "0x٣", " 0x1", "0xg", None, 5, 1.5, True])
def test_what_is_no_quantity(text: object) -> None:
    """Only 0x and hexadecimal ASCII digits are a quantity: no sign, no blank, no digit of another script."""
    with pytest.raises(Malformed, match="no quantity"):
        quantity(text)


@pytest.mark.parametrize("text", ["", "12", "0x1", "0xzz", "0x 12", "0x12 ", "0x1 2", None, 12, b"\x12"])
def test_what_is_no_blob(text: object) -> None:
    """Only 0x and pairs of hexadecimal digits are bytes."""
    with pytest.raises(Malformed, match="no 0x text"):
        blob(text)


@given(JSON)
def test_no_answer_breaks_anything(answer: object) -> None:
    """Whatever JSON an endpoint answers, it is a result of this question, a refusal, or malformed."""
    try:
        result_of("m", answer, 7)
    except (Malformed, RpcRefused):
        return
    assert isinstance(answer, dict)
    assert (7, True) == (answer["id"], "result" in answer)


def test_answers_and_refusals() -> None:
    """A result is returned, null too; an error is raised with its code, its words and its data."""
    assert [1] == result_of("m", {"id": 7, "result": [1]}, 7)
    assert result_of("m", {"id": 7, "result": None}, 7) is None
    with pytest.raises(RpcRefused, match=r"m: execution reverted \(code 3\)") as caught:
        result_of("m", {"id": 7, "error": {"code": 3, "message": "execution reverted", "data": "0x08"}}, 7)
    assert (3, "0x08") == (caught.value.code, caught.value.data)
    with pytest.raises(RpcRefused, match="parse error"):
        result_of("m", {"id": None, "error": {"code": -32700, "message": "parse error"}}, 7)
    with pytest.raises(RpcRefused, match="busy"):
        result_of("m", {"id": 7, "error": "busy"}, 7)


@pytest.mark.parametrize("found", [8, "7", None, True])
def test_an_answer_to_another_question(found: object) -> None:
    """What answers another question is not believed, whatever it says."""
    with pytest.raises(Malformed, match="asked was 7"):
        result_of("eth_call", {"id": found, "result": "0x1"}, 7)
