"""requestNewRound: who may ask, and what the oracles are told."""

from __future__ import annotations

from tests.contracts.feed import OWNER, STRANGER, ZERO, Chain, Feed, deploy_feed


def test_owner_requests(feed: Feed) -> None:
    """A request names the current progress and changes nothing; its answer is the next round's id."""
    feed.transmit([1, 2, 3], epoch=5, round_=6)
    request = feed.contract.functions.requestNewRound()

    assert 2 == request.call({"from": OWNER})
    expected = {"requester": OWNER, "configDigest": feed.digest, "epoch": 5, "round": 6}
    assert [("RoundRequested", expected)] == feed.events(feed.chain.send(request))
    assert [feed.digest, 5, 6, 2] == list(feed.contract.functions.latestTransmissionDetails().call())[:4]
    assert 1 == feed.contract.functions.latestRound().call()


def test_without_controller(feed: Feed) -> None:
    """Without an access controller a stranger is refused, without a reason."""
    assert b"" == feed.chain.refusal(feed.contract.functions.requestNewRound(), STRANGER).data


def test_controller_decides(chain: Chain) -> None:
    """The access controller may let others ask; a new controller decides anew."""
    access, other = chain.deploy("test/AccessListStub"), chain.deploy("test/AccessListStub")
    feed = deploy_feed(chain, requester_access=access.address)
    request = feed.contract.functions.requestNewRound()
    set_controller = feed.contract.functions.setRequesterAccessController

    assert "Only owner&requester can call" == chain.refusal(request, STRANGER).reason
    chain.send(access.functions.set(STRANGER, True))
    assert STRANGER == feed.events(chain.send(request, STRANGER))[0][1]["requester"]

    changed = feed.events(chain.send(set_controller(other.address)))
    assert [("RequesterAccessControllerSet", {"old": access.address, "current": other.address})] == changed
    assert [] == feed.events(chain.send(set_controller(other.address)))
    assert other.address == feed.contract.functions.requesterAccessController().call()
    assert "Only owner&requester can call" == chain.refusal(request, STRANGER).reason
    assert access.address != ZERO
