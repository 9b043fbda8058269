"""setPayees, setConfig and payeeship: refusals in their order, digest, events, what is kept."""

from __future__ import annotations

from eth_abi.abi import encode
from eth_typing import ChecksumAddress
from eth_utils.crypto import keccak

from tests.contracts.feed import STRANGER, ZERO, Feed, address


def test_digest_and_event(feed: Feed) -> None:
    """The digest is the formula over the event's values, and counts configurations from 1."""
    for count in (1, 2, 3):
        count_, block, digest = feed.contract.functions.latestConfigDetails().call()
        values = [feed.contract.address, count, feed.signers, feed.transmitters, feed.f, 1, feed.encoded]
        types = ["address", "uint64", "address[]", "address[]", "uint8", "uint64", "bytes"]
        assert (count, keccak(encode(types, values))[:16]) == (count_, bytes(digest))
        receipt = feed.chain.send(feed.set_config_call())
        expected = {
            "previousConfigBlockNumber": block,
            "configCount": count + 1,
            "signers": feed.signers,
            "transmitters": feed.transmitters,
            "threshold": feed.f,
            "encodedConfigVersion": 1,
            "encoded": feed.encoded,
        }
        assert [("ConfigSet", expected)] == feed.events(receipt)
        assert receipt["blockNumber"] == feed.contract.functions.latestConfigDetails().call()[1]
    assert feed.transmitters == feed.contract.functions.transmitters().call()


def test_long_configuration(feed: Feed) -> None:
    """An off-chain configuration of the greatest size nodes take is stored in the event."""
    feed.encoded = bytes(range(250)) * 80

    receipt = feed.chain.send(feed.set_config_call())

    assert feed.encoded == feed.events(receipt)[0][1]["encoded"]


def test_refusals_in_order(bare_feed: Feed) -> None:
    """The arguments are judged one after another, and before the caller."""

    def names(role: str, n: int) -> list[ChecksumAddress]:
        return [address(f"{role} {i}") for i in range(n)]

    def refusal(signers: int, transmitters: int, f: int, sender: str | None = None) -> str:
        call = bare_feed.contract.functions.setConfig(
            names("signer", signers), names("transmitter", transmitters), f, 1, b""
        )
        return bare_feed.chain.refusal(call, address(sender or "owner")).reason

    assert "too many signers" == refusal(32, 31, 0, "stranger")
    assert "threshold must be positive" == refusal(4, 3, 0, "stranger")
    assert "oracle addresses out of registration" == refusal(3, 4, 1, "stranger")
    assert "faulty-oracle threshold too high" == refusal(3, 3, 1, "stranger")
    assert "faulty-oracle threshold too high" == refusal(4, 4, 86, "stranger")
    assert "faulty-oracle threshold too high" == refusal(31, 31, 255, "stranger")
    assert "Only callable by owner" == refusal(4, 4, 1, "stranger")
    assert "payee must be set" == refusal(4, 4, 1)


def test_repeated_addresses(bare_feed: Feed) -> None:
    """An address sits once over both lists."""
    feed = bare_feed
    feed.set_payees()
    s, t = feed.signers, feed.transmitters
    feed.chain.send(feed.contract.functions.setPayees([s[0]], [feed.payees[0]]))

    def refusal(signers: list[ChecksumAddress], transmitters: list[ChecksumAddress]) -> str:
        call = feed.contract.functions.setConfig(signers, transmitters, 1, 1, b"")
        return feed.chain.refusal(call).reason

    assert "repeated signer address" == refusal([s[0], s[1], s[0], s[3]], list(t))
    assert "repeated signer address" == refusal([s[0], s[1], t[0], s[3]], list(t))
    assert "repeated transmitter address" == refusal(list(s), [t[0], t[1], t[0], t[3]])
    assert "repeated transmitter address" == refusal(list(s), [t[0], t[1], s[0], t[3]])
    # The payee is asked for before the repetition of a transmitter, but after that of a signer.
    assert "payee must be set" == refusal(list(s), [t[0], t[1], s[1], t[3]])
    assert "repeated signer address" == refusal([s[0], s[0], s[2], s[3]], [t[0], address("unpaid"), t[2], t[3]])


def test_replaced_oracles(feed: Feed) -> None:
    """An oracle that left the configuration can neither sign nor transmit."""
    others = [address(f"other {i}") for i in range(4)]
    other_signers = [address(f"other signer {i}") for i in range(4)]
    feed.chain.send(feed.contract.functions.setPayees(others, feed.payees))
    feed.chain.send(
        feed.contract.functions.setConfig(
            [feed.signers[3], *other_signers[:3]], [feed.transmitters[3], *others[:3]], 1, 1, b""
        )
    )
    report = feed.report([1, 2, 3])

    assert "unauthorized transmitter" == feed.why_not(report).reason
    assert "address not authorized to sign" == feed.why_not(report, [3, 0], feed.transmitters[3]).reason


def test_set_payees(bare_feed: Feed) -> None:
    """The owner sets each payee once; the same again is nothing, another is refused."""
    feed = bare_feed
    set_payees = feed.contract.functions.setPayees
    expected = [
        ("PayeeshipTransferred", {"transmitter": t, "previous": ZERO, "current": p})
        for t, p in zip(feed.transmitters, feed.payees, strict=True)
    ]

    assert expected == feed.events(feed.set_payees())
    assert [] == feed.events(feed.set_payees())
    call = set_payees([feed.transmitters[0]], [STRANGER])
    assert "payee already set" == feed.chain.refusal(call).reason
    call = set_payees(feed.transmitters, feed.payees[:3])
    assert "transmitters.size != payees.size" == feed.chain.refusal(call).reason
    assert "Only callable by owner" == feed.chain.refusal(call, STRANGER).reason


def test_payeeship(feed: Feed) -> None:
    """A payee hands over in two steps; only the proposed one accepts, and only once."""
    transmitter, old, new = feed.transmitters[0], feed.payees[0], address("new payee")
    transfer, accept = feed.contract.functions.transferPayeeship, feed.contract.functions.acceptPayeeship

    assert "only current payee can update" == feed.chain.refusal(transfer(transmitter, new)).reason
    assert "cannot transfer to self" == feed.chain.refusal(transfer(transmitter, old), old).reason
    assert "only proposed payees can accept" == feed.chain.refusal(accept(transmitter), new).reason

    requested = {"transmitter": transmitter, "current": old, "proposed": new}
    assert [("PayeeshipTransferRequested", requested)] == feed.events(feed.chain.send(transfer(transmitter, new), old))
    assert [] == feed.events(feed.chain.send(transfer(transmitter, new), old))
    assert "only proposed payees can accept" == feed.chain.refusal(accept(transmitter), STRANGER).reason
    accepted = {"transmitter": transmitter, "previous": old, "current": new}
    assert [("PayeeshipTransferred", accepted)] == feed.events(feed.chain.send(accept(transmitter), new))
    assert "only proposed payees can accept" == feed.chain.refusal(accept(transmitter), new).reason
    assert "only current payee can update" == feed.chain.refusal(transfer(transmitter, old), old).reason
