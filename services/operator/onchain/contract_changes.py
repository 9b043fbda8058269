"""What a feed's contract needs to be as configured: values in, values out."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from enum import Enum, IntEnum

from chainlink.contract.shape import ContractShape
from chainlink.ocr.config_differences import config_differences
from chainlink.ocr.contract_config import OcrConfig
from chainlink.ocr2.contract_config import Ocr2Config
from chainlink.ocr2.median_config import AnswerRange
from meshkit.errors import MeshError
from services.operator.config import FeedTarget
from services.operator.errors import ForeignOracles, UnusableContract


class FeedAction(IntEnum):
    """What a feed's contract needs."""

    NOTHING = 0
    DEPLOY = 1
    CONFIGURE = 2


class ConfigPart(Enum):
    """A part of a configuration that some contracts have set by different accounts."""

    CONSENSUS = "timings and thresholds"
    ORACLES = "oracles"


BOTH_PARTS = frozenset(ConfigPart)
# The fields of the part that is no oracle's: of OCR1, the only protocol with contracts that have parts.
_CONSENSUS_FIELDS = (
    *("delta_progress_ns", "delta_resend_ns", "delta_round_ns", "delta_grace_ns", "delta_c_ns"),
    *("alpha_ppb", "delta_stage_ns", "r_max", "version"),
)
Config = OcrConfig | Ocr2Config


@dataclass(frozen=True, slots=True)
class FeedDecision:
    """
    Hold what a feed's contract needs, and why in short: the fields that differ.

    `differences` say in words what stands in the contract and what is ours; `parts` are what is to be set anew.
    """

    action: FeedAction
    reason: str = ""
    differences: tuple[str, ...] = ()
    parts: frozenset[ConfigPart] = frozenset()


@dataclass(frozen=True, slots=True)
class ContractState:
    """
    Hold what a contract says of itself.

    `config` is None before the first configuration, or if no oracle would run by it: then `flaws` say why, in words,
    and `refused` is that configuration, if it can be read at all. `oracles` are the addresses of all signers and
    transmitters that it lists, also if its configuration is unreadable. `answers` are those that a contract of OCR2
    takes, which its configuration has to repeat. `config_block` is the block of its configuration.
    """

    address: str
    description: str
    decimals: int
    owner: str
    config_count: int
    config_digest: str
    config: Config | None
    oracles: tuple[str, ...] = ()
    flaws: tuple[str, ...] = ()
    refused: Config | None = None
    shape: ContractShape = ContractShape.OCR1
    answers: AnswerRange | None = None
    config_block: int = 0


@dataclass(frozen=True, slots=True)
class Rights:
    """
    Hold who we are and what we may change.

    `operator` is our own address, `ours` are the addresses, in lower case, of all signers and transmitters whose keys
    are kept here. With `may_replace` oracles that are not ours may be put out of a contract. `may_deploy_ocr2`: there
    is code of a contract of OCR2. `has_admin`: an account of ours can prove that it may set oracles.
    """

    operator: str
    ours: frozenset[str]
    may_deploy: bool = False
    may_replace: bool = False
    may_deploy_ocr2: bool = False
    has_admin: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """Hold what a look at all contracts has found: errors by feed or under `chain`, and which feeds need what."""

    errors: Mapping[str, MeshError]
    deploy: tuple[FeedTarget, ...] = ()
    configure: tuple[FeedTarget, ...] = ()

    def only(self, names: Collection[str], action: FeedAction) -> "Look":
        """Return what is to be done to some feeds, of one kind; what is wrong with the whole chain stays."""
        return Look(
            {name: error for name, error in self.errors.items() if name in names or name == "chain"},
            tuple(feed for feed in self.deploy if feed.name in names and action is FeedAction.DEPLOY),
            tuple(feed for feed in self.configure if feed.name in names and action is FeedAction.CONFIGURE),
        )


def decide_feed(feed: FeedTarget, contract: ContractState | None, wanted: Config, rights: Rights) -> FeedDecision:
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
    if contract is not None and contract.shape.ocr_version != feed.ocr_version:
        if feed.address is not None:
            raise UnusableContract(
                feed.name,
                f"the contract at {feed.address} is {contract.shape.value}, configured is OCR{feed.ocr_version}",
            )
        contract = None
    if contract is None:
        _check_deployment(feed, rights)
        return FeedDecision(FeedAction.DEPLOY, "no contract")
    if contract.config is None:
        reason = "configuration unreadable" if contract.config_count else "no configuration"
        parts = BOTH_PARTS
    else:
        names = fields_that_differ(wanted, contract.config)
        reason = ", ".join(names)
        parts = parts_of(contract.shape, names)
    if not reason:
        return FeedDecision(FeedAction.NOTHING)
    said = differences(contract, wanted)
    is_owner = contract.owner.lower() == rights.operator.lower()
    if contract.shape is ContractShape.SPLIT and not is_owner:
        # How often is reported is the owner's policy; who reports is ours.
        parts = _without_policy(feed, contract, wanted, parts)
        if not parts:
            return FeedDecision(FeedAction.NOTHING, reason, said)
    foreign = tuple(address for address in contract.oracles if address.lower() not in rights.ours)
    if foreign and not rights.may_replace:
        raise ForeignOracles(feed.name, contract.address, foreign)
    if contract.shape is not ContractShape.SPLIT:
        if not is_owner:
            raise UnusableContract(
                feed.name,
                f"its contract needs setConfig ({'; '.join(said)}), but belongs to {contract.owner}, not to "
                f"{rights.operator}",
            )
    elif ConfigPart.ORACLES in parts and not rights.has_admin:
        raise UnusableContract(
            feed.name,
            f"its contract needs setConfig ({'; '.join(said)}), which only an admin may call who proves himself to the "
            "contract that solution.adminContractAddress names, and that is not set",
        )
    return FeedDecision(FeedAction.CONFIGURE, reason, said, parts)


def _check_deployment(feed: FeedTarget, rights: Rights) -> None:
    if feed.address is not None:
        raise UnusableContract(feed.name, f"no contract at the configured address {feed.address}")
    if not rights.may_deploy:
        raise UnusableContract(
            feed.name, "no contract; name it in solution.mesh.contracts.addresses or set contracts.deploy"
        )
    if feed.ocr_version == 2 and not rights.may_deploy_ocr2:
        raise UnusableContract(
            feed.name,
            "no contract; name it in solution.mesh.contracts.addresses, or set contracts.ocr2CodeFile to a file with "
            "the code of AccessControlledOCR2Aggregator",
        )


def _without_policy(
    feed: FeedTarget, contract: ContractState, wanted: Config, parts: frozenset[ConfigPart]
) -> frozenset[ConfigPart]:
    """Return the parts without that of another owner; raises where his alone is what oracles refuse."""
    if contract.refused is not None and ConfigPart.ORACLES not in parts_of(
        contract.shape, fields_that_differ(wanted, contract.refused)
    ):
        raise UnusableContract(
            feed.name,
            f"every oracle refuses the timings that the owner of its contract, {contract.owner}, has set: "
            f"{'; '.join(contract.flaws)}",
        )
    return parts - {ConfigPart.CONSENSUS}


def parts_of(shape: ContractShape, names: tuple[str, ...]) -> frozenset[ConfigPart]:
    """Return the parts of a configuration to which fields belong; only some contracts have more than one."""
    if shape is not ContractShape.SPLIT:
        return BOTH_PARTS if names else frozenset()
    return frozenset(ConfigPart.CONSENSUS if name in _CONSENSUS_FIELDS else ConfigPart.ORACLES for name in names)


def fields_that_differ(wanted: Config, found: Config) -> tuple[str, ...]:
    """Return the names of the fields in which two configurations of one protocol differ."""
    outer = [
        field.name
        for field in fields(wanted)
        if field.name != "offchain" and getattr(wanted, field.name) != getattr(found, field.name)
    ]
    inner = [
        field.name
        for field in fields(wanted.offchain)
        if getattr(wanted.offchain, field.name) != getattr(found.offchain, field.name)
    ]
    return (*outer, *inner)


def differences(contract: ContractState, wanted: Config) -> tuple[str, ...]:
    """Return in what a contract's configuration is not the wanted one, in words; nothing if it is."""
    if contract.config is not None:
        return config_differences(contract.config, wanted)
    if not contract.config_count:
        return ("no configuration",)
    return tuple(f"refused by every oracle: {flaw}" for flaw in contract.flaws) or ("configuration unreadable",)
