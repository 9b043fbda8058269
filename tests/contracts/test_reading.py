"""The getters, and who may read them."""

from __future__ import annotations

from eth_abi.abi import decode
from web3.contract import Contract
from web3.contract.contract import ContractFunction

from tests.contracts.feed import STRANGER, Chain, Feed


def test_history(feed: Feed) -> None:
    """Every round can be read by its id, by all generations of getters."""
    f = feed.contract.functions
    stamps = []
    for i in (1, 2, 3):
        receipt = feed.transmit([10 * i, 10 * i + 1, 10 * i + 2], round_=i)
        stamps.append(feed.chain.w3.eth.get_block(receipt["blockNumber"])["timestamp"])

    for i, at in enumerate(stamps, start=1):
        assert [i, 10 * i + 1, at, at, i] == list(f.getRoundData(i).call())
        assert (10 * i + 1, at) == (f.getAnswer(i).call(), f.getTimestamp(i).call())
    assert [3, 31, stamps[2], stamps[2], 3] == list(f.latestRoundData().call())
    assert (3, 31, stamps[2]) == (f.latestRound().call(), f.latestAnswer().call(), f.latestTimestamp().call())


def test_unknown_round(feed: Feed) -> None:
    """A round that is not there has zeros; an id that cannot be is refused by getRoundData only."""
    f = feed.contract.functions
    feed.transmit([1, 2, 3])

    assert [0, 0, 0] == list(f.getRoundData(2).call())[1:4]
    assert [0, 0, 0] == list(f.getRoundData(2**32 - 1).call())[1:4]
    assert "No data present" == feed.chain.refusal(f.getRoundData(2**32)).reason
    assert "No data present" == feed.chain.refusal(f.getRoundData(2**32 + 1)).reason
    assert (0, 0) == (f.getAnswer(2**32 + 1).call(), f.getTimestamp(2**32 + 1).call())


def test_contract_needs_access(chain: Chain, feed: Feed) -> None:
    """A contract reads once the owner has listed it, or has opened the feed to all."""
    feed.transmit([1, 2, 3])
    f = feed.contract.functions
    reader = chain.deploy("test/Actor")
    calls = [
        f.latestRoundData(),
        f.getRoundData(1),
        f.latestAnswer(),
        f.latestTimestamp(),
        f.latestRound(),
        f.getAnswer(1),
        f.getTimestamp(1),
        f.description(),
    ]

    def readable() -> set[str]:
        found = {
            call.fn_name: chain.outcome(_through(reader, feed, bytes.fromhex(call._encode_transaction_data()[2:])))
            for call in calls
        }
        assert set(found.values()) <= {"", "No access"}
        return {name for name, refusal in found.items() if not refusal}

    everything = {call.fn_name for call in calls}
    assert set() == readable()
    assert [("AddedAccess", {"user": reader.address})] == feed.events(chain.send(f.addAccess(reader.address)))
    assert [] == feed.events(chain.send(f.addAccess(reader.address)))
    assert everything == readable()
    assert [("RemovedAccess", {"user": reader.address})] == feed.events(chain.send(f.removeAccess(reader.address)))
    assert [] == feed.events(chain.send(f.removeAccess(reader.address)))
    assert set() == readable()
    assert [("CheckAccessDisabled", {})] == feed.events(chain.send(f.disableAccessCheck()))
    assert [] == feed.events(chain.send(f.disableAccessCheck()))
    assert everything == readable()
    assert [("CheckAccessEnabled", {})] == feed.events(chain.send(f.enableAccessCheck()))
    assert [] == feed.events(chain.send(f.enableAccessCheck()))
    assert set() == readable()


def test_accounts_read_freely(feed: Feed) -> None:
    """Any account reads, also with the check on; what is open to contracts stays open to them."""
    feed.transmit([1, 2, 3])
    f = feed.contract.functions

    assert f.checkEnabled().call() is True
    assert 2 == f.latestAnswer().call({"from": STRANGER})
    assert f.hasAccess(STRANGER, b"").call({"from": STRANGER}) is True
    assert f.hasAccess(feed.contract.address, b"").call({"from": STRANGER}) is False


def test_details_for_accounts_only(chain: Chain, feed: Feed) -> None:
    """The protocol's progress is not for contracts, not even for those with access; the configuration is for all."""
    f = feed.contract.functions
    reader = chain.deploy("test/Actor")
    chain.send(f.addAccess(reader.address))
    details = bytes.fromhex(f.latestTransmissionDetails()._encode_transaction_data()[2:])
    config = bytes.fromhex(f.latestConfigDetails()._encode_transaction_data()[2:])

    assert "Only callable by EOA" == chain.refusal(_through(reader, feed, details), STRANGER).reason
    answer = _through(reader, feed, config).call({"from": STRANGER})

    assert feed.digest == decode(["uint32", "uint32", "bytes16"], answer)[2]


def _through(reader: Contract, feed: Feed, data: bytes) -> ContractFunction:
    return reader.functions.run(feed.contract.address, data)
