"""Functions and events as bytes."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainlink.contract.codec import Event, Field, Function
from chainlink.rpc.errors import Malformed

_ADDRESS = "0xb2120143da57569d36558B36A532E3a96F5e43b3"
_FUNCTION = Function("look", ("address", "uint8[]"), ("address", "address[]", "int192", "bytes"))
_EVENT = Event("Seen", (Field("by", "address", indexed=True), Field("what", "int192"), Field("texts", "bytes[]")))


def _log(by: str, what: int, texts: list[bytes]) -> dict[str, Any]:
    data = Function("any", ("int192", "bytes[]")).call_data(what, texts)[4:]
    topics = ["0x" + _EVENT.topic.hex(), "0x" + by.lower().removeprefix("0x").rjust(64, "0")]
    return {"topics": topics, "data": "0x" + data.hex()}


@given(st.integers(-(2**191), 2**191 - 1), st.binary(max_size=100))
@settings(deadline=None)
def test_results_are_read_as_encoded(number: int, text: bytes) -> None:
    """What a contract would return is read again, with every address in its one spelling."""
    results = Function("any", _FUNCTION.outputs).call_data(_ADDRESS.lower(), [_ADDRESS.lower()], number, text)[4:]

    assert (_ADDRESS, (_ADDRESS,), number, text) == _FUNCTION.decode(results)


@given(st.integers(-(2**191), 2**191 - 1), st.lists(st.binary(max_size=40), max_size=5))
@settings(deadline=None)
def test_events_are_read_as_encoded(what: int, texts: list[bytes]) -> None:
    """A log's fields are read by name, from its topics and its data."""
    assert {"by": _ADDRESS, "what": what, "texts": tuple(texts)} == _EVENT.decode(_log(_ADDRESS, what, texts))


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """Bytes give as many results as there are, or Malformed with the function's name, and nothing else."""
    try:
        results = _FUNCTION.decode(data)
    except Malformed as error:
        assert str(error).startswith("look(): not the encoding of")  # noqa: PT017 # some bytes are results
    else:
        assert len(_FUNCTION.outputs) == len(results)


@pytest.mark.parametrize(
    "changes",
    [
        {"topics": None},
        {"topics": []},
        {"topics": ["0x" + "00" * 32, "0x" + "00" * 32]},
        {"topics": ["0x" + _EVENT.topic.hex()]},
        {"topics": ["0x" + _EVENT.topic.hex(), "0x" + "ff" * 32]},
        {"topics": ["0x" + _EVENT.topic.hex(), 5]},
        {"topics": {"0": "x"}},
        {"data": None},
        {"data": "0x"},
        {"data": "0x" + "00" * 31},
    ],
)
def test_logs_of_another_form_are_refused(changes: dict[str, object]) -> None:
    """A log of another event, without its topics, or with other data is none of this event."""
    with pytest.raises(Malformed):
        _EVENT.decode(_log(_ADDRESS, 1, []) | changes)
