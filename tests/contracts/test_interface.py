"""The outside of the contract equals that of the OCR1 aggregator: selectors, topics, strings, size, constants."""

from __future__ import annotations

import pytest
from eth_utils.abi import event_abi_to_log_topic, function_abi_to_4byte_selector

from chainlink.contract.artifact import load
from tests.contracts.feed import MAX_ANSWER, MIN_ANSWER, OWNER, ZERO, Feed

SELECTORS = {
    "setPayees": "9c849b30",
    "setConfig": "585aa7de",
    "transmit": "c9807539",
    "requestNewRound": "98e5b12a",
    "latestRoundData": "feaf968c",
    "getRoundData": "9a6fc8f5",
    "latestAnswer": "50d25bcd",
    "latestTimestamp": "8205bf6a",
    "latestRound": "668a0f02",
    "latestTransmissionDetails": "e5fe4577",
    "latestConfigDetails": "81ff7048",
    "transmitters": "81411834",
}
TOPICS = {
    "ConfigSet": "25d719d88a4512dd76c7442b910a83360845505894eb444ef299409e180f8fb9",
    "NewTransmission": "f6a97944f31ea060dfde0566e4167c1a1082551e64b60ecb14d599a9d023d451",
    "NewRound": "0109fc6f55cf40689f02fbaad7af7fe7bbac8a3d2186600afc7d3e10cac60271",
    "AnswerUpdated": "0559884fd3a460db3073b7fc896cc77986f16e378210ded43186175bf646fc5f",
    "RoundRequested": "3ea16a923ff4b1df6526e854c9e3a995c43385d70e73359e10623c74f0b52037",
}
OTHER_EVENTS = {
    "BillingSet",
    "BillingAccessControllerSet",
    "RequesterAccessControllerSet",
    "ValidatorConfigSet",
    "LinkTokenSet",
    "OraclePaid",
    "PayeeshipTransferRequested",
    "PayeeshipTransferred",
    "OwnershipTransferRequested",
    "OwnershipTransferred",
    "AddedAccess",
    "RemovedAccess",
    "CheckAccessEnabled",
    "CheckAccessDisabled",
}
FUNCTIONS = {
    *SELECTORS,
    *("getAnswer", "getTimestamp", "description", "decimals", "version", "typeAndVersion", "minAnswer", "maxAnswer"),
    *("owner", "transferOwnership", "acceptOwnership", "transferPayeeship", "acceptPayeeship"),
    *("getBilling", "setBilling", "getLinkToken", "setLinkToken", "owedPayment", "oracleObservationCount"),
    *("linkAvailableForPayment", "withdrawPayment", "withdrawFunds"),
    *("billingAccessController", "setBillingAccessController"),
    *("requesterAccessController", "setRequesterAccessController", "validatorConfig", "setValidatorConfig"),
    *("hasAccess", "addAccess", "removeAccess", "enableAccessCheck", "disableAccessCheck", "checkEnabled"),
}


def test_functions() -> None:
    """The contract has exactly the functions of the OCR1 aggregator."""
    assert FUNCTIONS == {entry["name"] for entry in load("OffchainAggregator").abi if entry["type"] == "function"}


@pytest.mark.parametrize(("name", "selector"), SELECTORS.items())
def test_selectors(name: str, selector: str) -> None:
    """Selectors are those that Chainlink nodes and consumers call."""
    (entry,) = [e for e in load("OffchainAggregator").abi if e["type"] == "function" and e["name"] == name]

    assert selector == function_abi_to_4byte_selector(entry).hex()  # type: ignore[arg-type]


def test_topics() -> None:
    """Event topics are those that Chainlink nodes and indexers look for, and there are no other events."""
    events = {entry["name"]: entry for entry in load("OffchainAggregator").abi if entry["type"] == "event"}

    found = {name: event_abi_to_log_topic(events[name]).hex() for name in TOPICS}  # type: ignore[arg-type]

    assert TOPICS == found
    assert {*TOPICS, *OTHER_EVENTS} == set(events)


def test_constructor() -> None:
    """The constructor takes the twelve arguments in their order."""
    (constructor,) = [entry for entry in load("OffchainAggregator").abi if entry["type"] == "constructor"]

    types = [argument["type"] for argument in constructor["inputs"]]

    expected = [*["uint32"] * 5, "address", "int192", "int192", "address", "address", "uint8", "string"]
    assert expected == types


def test_size() -> None:
    """The contract fits on chains with the usual limit on code size."""
    assert len(bytes.fromhex(load("OffchainAggregator").deployed_bytecode[2:])) <= 24_576


def test_constants(bare_feed: Feed) -> None:
    """A new feed shows what it was made with, its owner, and no data."""
    functions = bare_feed.contract.functions

    assert "AccessControlledOffchainAggregator 4.0.0" == functions.typeAndVersion().call()
    assert 4 == functions.version().call()
    assert 8 == functions.decimals().call()
    assert "BTC / USD" == functions.description().call()
    assert MIN_ANSWER == functions.minAnswer().call()
    assert MAX_ANSWER == functions.maxAnswer().call()
    assert OWNER == functions.owner().call()
    assert [] == functions.transmitters().call()
    assert [0, 0, bytes(16)] == list(functions.latestConfigDetails().call())
    assert [0, 0, 0, 0, 0] == list(functions.latestRoundData().call())
    assert [0] * 5 == list(functions.getBilling().call())
    assert [ZERO, 0] == list(functions.validatorConfig().call())
    assert ZERO == functions.getLinkToken().call()
    assert ZERO == functions.billingAccessController().call()
    assert ZERO == functions.requesterAccessController().call()


def test_takes_no_money(feed: Feed) -> None:
    """Ether sent to the feed comes back: nobody could ever get it out."""
    chain = feed.chain
    transaction = {"from": OWNER, "to": feed.contract.address, "value": "0x0", "data": "0x"}

    answer = chain.w3.provider.make_request("eth_call", [transaction, "latest"])  # type: ignore[arg-type]

    assert "error" in answer
