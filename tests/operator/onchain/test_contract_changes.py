"""What a feed's contract needs."""

from dataclasses import replace

import pytest

from meshkit.configuration.feeds.timings import FeedTimings
from services.operator.config import FeedTarget
from services.operator.errors import ForeignOracles, UnusableContract
from services.operator.onchain import ocr_config
from services.operator.onchain.contract_changes import ContractState, FeedAction, Rights, decide_feed
from tests.operator.made import made_oracles

_FEED = FeedTarget("BTC / USD", 8)
_FOREIGN = FeedTarget("BTC / USD", 8, "0x" + "1" * 40)
_US = "0x" + "A" * 40
_WANTED = ocr_config.desired(made_oracles(4), FeedTimings(5000, 1000, 2000, 500, 10_000, 1, 2000, 4), 1337)
_ORACLES = (*_WANTED.signers, *_WANTED.transmitters)
_GOOD = ContractState("0x" + "1" * 40, "BTC / USD", 8, _US.lower(), 1, "ab" * 16, _WANTED, _ORACLES)
_NONE = Rights(_US, frozenset(address.lower() for address in _ORACLES))
_DEPLOY = replace(_NONE, may_deploy=True)


@pytest.mark.parametrize(
    ("contract", "action"),
    [
        (None, FeedAction.DEPLOY),
        (replace(_GOOD, description="ETH / USD"), FeedAction.DEPLOY),
        (replace(_GOOD, decimals=18), FeedAction.DEPLOY),
        (replace(_GOOD, config=None, config_count=0), FeedAction.CONFIGURE),
        (replace(_GOOD, config=None), FeedAction.CONFIGURE),
        (replace(_GOOD, config=replace(_WANTED, f=2)), FeedAction.CONFIGURE),
        (replace(_GOOD, config=replace(_WANTED, signers=_WANTED.signers[::-1])), FeedAction.CONFIGURE),
        (_GOOD, FeedAction.NOTHING),
    ],
)
def test_what_a_contract_needs(contract: ContractState | None, action: FeedAction) -> None:
    """A missing or foreign contract is deployed, one that differs is configured, one as wanted is left alone."""
    assert action is decide_feed(_FEED, contract, _WANTED, _DEPLOY).action


def test_the_reason_names_what_differs() -> None:
    """A needed configuration says which fields differ."""
    other = replace(_WANTED, f=2, offchain=replace(_WANTED.offchain, alpha_ppb=7))
    decision = decide_feed(_FEED, replace(_GOOD, config=other), _WANTED, _DEPLOY)

    assert "f, alpha_ppb" == decision.reason
    assert ("f is 2, ours 1", "alpha_ppb is 7, ours 1") == decision.differences


def test_a_refused_configuration_is_told_with_all_its_flaws() -> None:
    """What no oracle runs by is configured anew, and every reason for that is named."""
    decision = decide_feed(_FEED, replace(_GOOD, config=None, flaws=("f: 2", "signers[1]: twice")), _WANTED, _DEPLOY)

    assert "configuration unreadable" == decision.reason
    assert ("refused by every oracle: f: 2", "refused by every oracle: signers[1]: twice") == decision.differences


@pytest.mark.parametrize(
    ("feed", "contract", "message"),
    [
        (_FOREIGN, None, "no contract at the configured address"),
        (_FOREIGN, replace(_GOOD, description="ETH / USD"), "is 'ETH / USD'"),
        (_FEED, None, "no contract; name it in"),
        (_FEED, replace(_GOOD, config=None, owner="0x" + "9" * 40), "belongs to 0x9999"),
    ],
)
def test_what_must_not_be_changed_is_an_error(feed: FeedTarget, contract: ContractState | None, message: str) -> None:
    """Without the right to deploy or to configure, the feed's error says what is wrong."""
    with pytest.raises(UnusableContract, match=message):
        decide_feed(feed, contract, _WANTED, _NONE)


def test_a_foreign_contract_as_wanted_is_fine() -> None:
    """A contract of another owner needs nothing if it is configured as wanted."""
    contract = replace(_GOOD, owner="0x" + "9" * 40)

    assert FeedAction.NOTHING is decide_feed(_FOREIGN, contract, _WANTED, _NONE).action


@pytest.mark.parametrize("readable", [True, False])
def test_oracles_whose_keys_are_lost_are_not_put_out(readable: bool) -> None:
    """A contract that lists an oracle of whom no key is here is left alone; the error names him and the ways out."""
    stranger = "0x" + "5" * 40
    listed = (stranger, *_WANTED.signers[1:])
    config = replace(_WANTED, signers=listed) if readable else None
    contract = replace(_GOOD, config=config, oracles=(*listed, *_WANTED.transmitters))

    with pytest.raises(ForeignOracles, match=r"feedmesh restore.*replaceOracles.* listed are: 0x5{40}") as caught:
        decide_feed(_FEED, contract, _WANTED, _DEPLOY)
    assert (stranger,) == caught.value.foreign
    replacing = replace(_DEPLOY, may_replace=True)
    assert FeedAction.CONFIGURE is decide_feed(_FEED, contract, _WANTED, replacing).action


def test_oracles_whose_keys_are_kept_may_go() -> None:
    """Oracles that left, or whose keys were retired, are put out of a contract, since their keys are here."""
    left = "0x" + "6" * 40
    config = replace(_WANTED, signers=(left, *_WANTED.signers[1:]))
    contract = replace(_GOOD, config=config, oracles=(*config.signers, *config.transmitters))
    rights = replace(_DEPLOY, ours=_DEPLOY.ours | {left})

    assert FeedAction.CONFIGURE is decide_feed(_FEED, contract, _WANTED, rights).action
