"""The validator is told every answer, with exactly its gas, and cannot stop a round."""

from __future__ import annotations

from web3.contract import Contract
from web3.types import TxReceipt

from tests.contracts.feed import STRANGER, ZERO, Chain, Feed, address

GAS_LIMIT = 100_000


def test_told(chain: Chain, feed: Feed) -> None:
    """The validator gets the previous and the new round and answer, and its gas limit to the unit."""
    validator = chain.deploy("test/Actor")
    set_validator = feed.contract.functions.setValidatorConfig(validator.address, GAS_LIMIT)
    changed = {
        "previousValidator": ZERO,
        "previousGasLimit": 0,
        "currentValidator": validator.address,
        "currentGasLimit": GAS_LIMIT,
    }

    assert [("ValidatorConfigSet", changed)] == feed.events(chain.send(set_validator))
    assert [] == feed.events(chain.send(set_validator))
    assert [validator.address, GAS_LIMIT] == list(feed.contract.functions.validatorConfig().call())
    first = _told(validator, feed.transmit([1, 2, 3], round_=1))
    second = _told(validator, feed.transmit([5, 6, 7], round_=2))

    assert [(0, 0, 1, 2), (1, 2, 2, 6)] == [first[:4], second[:4]]
    # What the validator can still see is its limit less its own first few instructions.
    assert GAS_LIMIT - 1000 < second[4] < GAS_LIMIT


def test_failure_is_ignored(chain: Chain, feed: Feed) -> None:
    """A validator that fails, or that is no contract, changes nothing."""
    validator = chain.deploy("test/Actor")
    chain.send(validator.functions.runWhenValidating(ZERO, b"", True))
    for round_, target in enumerate((validator.address, STRANGER), start=1):
        chain.send(feed.contract.functions.setValidatorConfig(target, GAS_LIMIT))
        feed.transmit([1, 2, 3], round_=round_)

        assert round_ == feed.contract.functions.latestRound().call()


def test_insufficient_gas(chain: Chain, feed: Feed) -> None:
    """A transmission that cannot give the validator its gas is refused, so that no transmitter can starve it."""
    chain.send(feed.contract.functions.setValidatorConfig(chain.deploy("test/Actor").address, 2**32 - 1))

    assert "insufficient gas" == feed.why_not(feed.report([1, 2, 3])).reason


def test_undesignated(chain: Chain, feed: Feed) -> None:
    """A transmitter that the validator removed in the middle of its transmission is not paid: all is undone."""
    validator = chain.deploy("test/Actor")
    others = [address(f"other {i}") for i in range(4)]
    chain.send(feed.contract.functions.setPayees(others, feed.payees))
    replace = feed.contract.functions.setConfig(feed.signers, others, 1, 1, b"")
    data = bytes.fromhex(replace._encode_transaction_data()[2:])
    chain.send(validator.functions.runWhenValidating(feed.contract.address, data, False))
    chain.send(feed.contract.functions.setValidatorConfig(validator.address, 5_000_000))
    chain.send(feed.contract.functions.transferOwnership(validator.address))
    chain.send(feed.contract.functions.acceptOwnership(), validator.address)

    assert "sent by undesignated transmitter" == feed.why_not(feed.report([1, 2, 3])).reason


def _told(validator: Contract, receipt: TxReceipt) -> tuple[int, int, int, int, int]:
    (log,) = [log for log in receipt["logs"] if log["address"] == validator.address]
    args = validator.events.Validated().process_log(log)["args"]
    return (
        args["previousRoundId"],
        args["previousAnswer"],
        args["roundId"],
        args["answer"],
        args["gasLeft"],
    )
