"""Calls, answers and events of the aggregator contract, against the field's common library."""

from contextlib import suppress
from typing import Any

import pytest
from eth_abi.abi import encode
from hypothesis import given, settings
from hypothesis import strategies as st
from web3 import Web3

from chainlink.contract.abi_codec import AbiCodec, Event, Field, Function
from chainlink.contract.artifact import load
from chainlink.rpc.errors import Malformed

ARTIFACT = load("OffchainAggregator")
CODEC = AbiCodec(ARTIFACT)
CONTRACT: Any = Web3().eth.contract(abi=ARTIFACT.abi, bytecode=ARTIFACT.bytecode)
ADDRESSES = st.binary(min_size=20, max_size=20).map(lambda raw: Web3.to_checksum_address("0x" + raw.hex()))
INT192 = st.integers(-(2**191), 2**191 - 1)


@given(st.lists(ADDRESSES, max_size=5), st.lists(ADDRESSES, max_size=5), st.integers(0, 255), st.binary(max_size=100))
def test_calls(signers: list[str], transmitters: list[str], f: int, encoded: bytes) -> None:
    """A call has the bytes that web3 makes of it."""
    arguments = (signers, transmitters, f, 1, encoded)

    assert CONTRACT.encode_abi("setConfig", args=arguments) == "0x" + CODEC.call("setConfig", *arguments).hex()


def test_deployment() -> None:
    """A deployment has the bytes that web3 makes of it."""
    zero = "0x" + "00" * 20
    arguments = (0, 0, 0, 0, 0, zero, 1, 10**23, zero, zero, 8, "BTC / USD")

    assert CONTRACT.constructor(*arguments).data_in_transaction == "0x" + CODEC.deployment(*arguments).hex()


@pytest.mark.parametrize("arguments", [(), (1, 2), ("0x12", []), (["0x12"], [])])
def test_arguments_that_do_not_fit(arguments: tuple[object, ...]) -> None:
    """What the contract does not take is an error that says which types it takes."""
    with pytest.raises(ValueError, match=r"address\[\]"):
        CODEC.call("setPayees", *arguments)


def test_results() -> None:
    """One value is given as it is, several as a tuple, addresses checksummed."""
    address = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
    assert address == CODEC.result("owner", encode(("address",), (address,)))
    assert (address,) == CODEC.result("transmitters", encode(("address[]",), ([address],)))
    assert (1, 7, b"d" * 16) == CODEC.result(
        "latestConfigDetails", encode(("uint32", "uint32", "bytes16"), (1, 7, b"d" * 16))
    )


@given(
    st.sampled_from(("owner", "transmitters", "description", "latestRoundData", "decimals")), st.binary(max_size=200)
)
def test_any_bytes_are_a_result_or_malformed(function: str, data: bytes) -> None:
    """Whatever a contract answers is read or refused; nothing else is raised."""
    with suppress(Malformed):
        assert CODEC.result(function, data) is not None


@given(st.integers(0, 2**32 - 1), INT192, ADDRESSES, st.lists(INT192, max_size=31), st.binary(max_size=31))
def test_events(round_id: int, answer: int, transmitter: str, observations: list[int], observers: bytes) -> None:
    """An event's fields are those that web3 reads, indexed ones too."""
    context = bytes(range(32))
    types = ("int192", "address", "int192[]", "bytes", "bytes32")
    data = encode(types, (answer, transmitter, observations, observers, context))
    topics = [CODEC.topic("NewTransmission"), round_id.to_bytes(32, "big")]
    log = {"topics": ["0x" + topic.hex() for topic in topics], "data": "0x" + data.hex()}
    place = {"address": transmitter, "blockHash": bytes(32), "blockNumber": 1, "logIndex": 0, "transactionIndex": 0}
    theirs = CONTRACT.events.NewTransmission().process_log(
        place | {"topics": topics, "data": data, "transactionHash": bytes(32)}
    )["args"]
    mine = CODEC.event("NewTransmission", log)

    assert dict(theirs) | {"observations": tuple(observations)} == mine


@pytest.mark.parametrize(
    "log",
    [
        {},
        {"topics": [], "data": "0x"},
        {"topics": ["0x" + "00" * 32, "0x" + "00" * 32], "data": "0x"},
        {"topics": ["0x" + CODEC.topic("NewTransmission").hex()], "data": "0x"},
        {"topics": ["0x" + CODEC.topic("NewTransmission").hex(), "0x" + "00" * 32], "data": "0x00"},
        {"topics": ["0x" + CODEC.topic("NewTransmission").hex(), "0x" + "00" * 32], "data": None},
    ],
)
def test_what_is_no_event(log: dict[str, Any]) -> None:
    """A log of another event, or with other fields, is malformed."""
    with pytest.raises(Malformed):
        CODEC.event("NewTransmission", log)


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
def test_a_log_is_read_as_encoded(what: int, texts: list[bytes]) -> None:
    """A log's fields are read by name, from its topics and its data."""
    assert {"by": _ADDRESS, "what": what, "texts": tuple(texts)} == _EVENT.decode(_log(_ADDRESS, what, texts))


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_any_bytes_are_results_or_malformed(data: bytes) -> None:
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
