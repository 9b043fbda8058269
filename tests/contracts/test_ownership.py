"""Ownership in two steps, and what only the owner may do."""

from __future__ import annotations

from tests.contracts.feed import OWNER, STRANGER, ZERO, Feed, address


def test_two_steps(bare_feed: Feed) -> None:
    """The owner proposes, the proposed accepts; until then the old owner rules, afterwards it does not."""
    feed, new = bare_feed, address("new owner")
    functions = feed.contract.functions

    asked = feed.chain.send(functions.transferOwnership(new))
    assert OWNER == functions.owner().call()
    assert "Must be proposed owner" == feed.chain.refusal(functions.acceptOwnership(), STRANGER).reason
    done = feed.chain.send(functions.acceptOwnership(), new)

    assert [("OwnershipTransferRequested", {"from": OWNER, "to": new})] == feed.events(asked)
    assert [("OwnershipTransferred", {"from": OWNER, "to": new})] == feed.events(done)
    assert new == functions.owner().call()
    assert "Only callable by owner" == feed.chain.refusal(functions.transferOwnership(OWNER), OWNER).reason
    assert "Must be proposed owner" == feed.chain.refusal(functions.acceptOwnership(), new).reason


def test_owner_only(bare_feed: Feed) -> None:
    """A stranger gets nowhere with what belongs to the owner."""
    functions = bare_feed.contract.functions
    calls = [
        functions.transferOwnership(STRANGER),
        functions.setPayees([], []),
        functions.setValidatorConfig(ZERO, 0),
        functions.setRequesterAccessController(STRANGER),
        functions.setBillingAccessController(STRANGER),
        functions.setLinkToken(ZERO, STRANGER),
        functions.addAccess(STRANGER),
        functions.removeAccess(STRANGER),
        functions.enableAccessCheck(),
        functions.disableAccessCheck(),
    ]

    for call in calls:
        refusal = bare_feed.chain.refusal(call, STRANGER)
        assert (call.fn_name, "Only callable by owner") == (call.fn_name, refusal.reason)
