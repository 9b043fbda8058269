"""What a feed's contract needs to be as configured: values in, values out."""

from dataclasses import dataclass, fields
from enum import IntEnum

from chainlink.ocr.config_differences import config_differences
from chainlink.ocr.contract_config import OcrConfig
from services.operator.config import FeedTarget
from services.operator.errors import ForeignOracles, UnusableContract


class FeedAction(IntEnum):
    """What a feed's contract needs."""

    NOTHING = 0
    DEPLOY = 1
    CONFIGURE = 2


@dataclass(frozen=True, slots=True)
class FeedDecision:
    """
    Hold what a feed's contract needs, and why in short: the fields that differ.

    `differences` say in words what stands in the contract and what is ours.
    """

    action: FeedAction
    reason: str = ""
    differences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ContractState:
    """
    Hold what a contract says of itself.

    `config` is None before the first configuration, or if no oracle would run by it: then `flaws` say why, in words.
    `oracles` are the addresses of all signers and transmitters that it lists, also if its configuration is unreadable.
    """

    address: str
    description: str
    decimals: int
    owner: str
    config_count: int
    config_digest: str
    config: OcrConfig | None
    oracles: tuple[str, ...] = ()
    flaws: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rights:
    """
    Hold who we are and what we may change.

    `operator` is our own address, `ours` are the addresses, in lower case, of all signers and transmitters whose keys
    are kept here. With `may_replace` oracles that are not ours may be put out of a contract.
    """

    operator: str
    ours: frozenset[str]
    may_deploy: bool = False
    may_replace: bool = False


def decide_feed(feed: FeedTarget, contract: ContractState | None, wanted: OcrConfig, rights: Rights) -> FeedDecision:
    """
    Decide what a feed's contract needs; `contract` is what stands at its known address.

    A contract of ours that is not this feed's any more (the dev chain began anew) is treated as missing.

    Raises:
        ForeignOracles: when the contract lists oracles that are not ours, which may mean that our keys were lost.
        UnusableContract: when the feed cannot be served with what there is, and we may not change that.
    """
    if contract is not None and (contract.description, contract.decimals) != (feed.name, feed.decimals):
        if feed.address is not None:
            raise UnusableContract(
                feed.name,
                f"the contract at {feed.address} is {contract.description!r} with {contract.decimals} decimals, "
                f"configured is {feed.decimals}",
            )
        contract = None
    if contract is None:
        if feed.address is not None:
            raise UnusableContract(feed.name, f"no contract at the configured address {feed.address}")
        if not rights.may_deploy:
            raise UnusableContract(
                feed.name, "no contract; name it in solution.mesh.contracts.addresses or set contracts.deploy"
            )
        return FeedDecision(FeedAction.DEPLOY, "no contract")
    if contract.config is None:
        reason = "configuration unreadable" if contract.config_count else "no configuration"
    else:
        reason = ", ".join(fields_that_differ(wanted, contract.config))
    if not reason:
        return FeedDecision(FeedAction.NOTHING)
    foreign = tuple(address for address in contract.oracles if address.lower() not in rights.ours)
    if foreign and not rights.may_replace:
        raise ForeignOracles(feed.name, contract.address, foreign)
    if contract.owner.lower() != rights.operator.lower():
        raise UnusableContract(
            feed.name,
            f"its contract needs setConfig ({'; '.join(differences(contract, wanted))}), but belongs to "
            f"{contract.owner}, not to {rights.operator}",
        )
    return FeedDecision(FeedAction.CONFIGURE, reason, differences(contract, wanted))


def fields_that_differ(wanted: OcrConfig, found: OcrConfig) -> tuple[str, ...]:
    """Return the names of the fields in which two configurations differ."""
    outer = [
        name for name in ("signers", "transmitters", "f", "version") if getattr(wanted, name) != getattr(found, name)
    ]
    inner = [
        field.name
        for field in fields(wanted.offchain)
        if getattr(wanted.offchain, field.name) != getattr(found.offchain, field.name)
    ]
    return (*outer, *inner)


def differences(contract: ContractState, wanted: OcrConfig) -> tuple[str, ...]:
    """Return in what a contract's configuration is not the wanted one, in words; nothing if it is."""
    if contract.config is not None:
        return config_differences(contract.config, wanted)
    if not contract.config_count:
        return ("no configuration",)
    return tuple(f"refused by every oracle: {flaw}" for flaw in contract.flaws) or ("configuration unreadable",)
