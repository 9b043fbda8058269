"""What has to change so that feeds and nodes are as configured: pure decisions, values in, values out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any

from chainlink.ocr.contract_config import OcrConfig
from services.operator.config import FeedTarget
from services.operator.errors import UnusableContract
from services.operator.nodes.job_specs import BRIDGE_NAME, JobSpec, is_ours


class FeedPhase(IntEnum):
    """How far a feed's set-up is; the numbers are those of the proto."""

    PENDING = 1
    DEPLOYED = 2
    CONFIGURED = 3
    RUNNING = 4


class FeedAction(IntEnum):
    """What a feed's contract needs."""

    NOTHING = 0
    DEPLOY = 1
    CONFIGURE = 2


@dataclass(frozen=True, slots=True)
class FeedDecision:
    """Hold what a feed's contract needs, and why in words."""

    action: FeedAction
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ContractState:
    """Hold what a contract says of itself; `config` is None before the first configuration or if it is unreadable."""

    address: str
    description: str
    decimals: int
    owner: str
    config_count: int
    config_digest: str
    config: OcrConfig | None


@dataclass(frozen=True, slots=True)
class NodeState:
    """Hold what a node answers about itself; `jobs` as its API gives them."""

    bundle_ids: frozenset[str]
    bridge_url: str | None
    jobs: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class ImportBundle:
    """The node lacks its OCR key bundle."""

    bundle_id: str

    def __str__(self) -> str:
        return f"OCR key bundle {self.bundle_id[:8]} imported"


@dataclass(frozen=True, slots=True)
class SetBridge:
    """The node lacks the bridge, or has it with another URL."""

    url: str
    exists: bool

    def __str__(self) -> str:
        return f"bridge {BRIDGE_NAME} {'changed' if self.exists else 'created'}"


@dataclass(frozen=True, slots=True)
class DeleteJob:
    """The node has a job that is not wanted, or not like this."""

    job_id: str
    name: str
    reason: str

    def __str__(self) -> str:
        return f"job {self.name!r} deleted: {self.reason}"


@dataclass(frozen=True, slots=True)
class CreateJob:
    """The node lacks a job."""

    spec: JobSpec

    def __str__(self) -> str:
        return f"job {self.spec.name!r} created"


NodeChange = ImportBundle | SetBridge | DeleteJob | CreateJob


def decide_feed(
    feed: FeedTarget, contract: ContractState | None, wanted: OcrConfig, operator: str, *, may_deploy: bool
) -> FeedDecision:
    """
    Decide what a feed's contract needs; `contract` is what stands at its known address, `operator` our own address.

    A contract of ours that is not this feed's any more (the dev chain began anew) is treated as missing.

    Raises:
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
        if not may_deploy:
            raise UnusableContract(
                feed.name, "no contract; name it in solution.mesh.contracts.addresses or set contracts.deploy"
            )
        return FeedDecision(FeedAction.DEPLOY, "no contract")
    if contract.config is None:
        reason = "configuration unreadable" if contract.config_count else "no configuration"
    else:
        reason = ", ".join(config_differences(wanted, contract.config))
    if not reason:
        return FeedDecision(FeedAction.NOTHING)
    if contract.owner.lower() != operator.lower():
        raise UnusableContract(
            feed.name, f"its contract needs setConfig ({reason}), but belongs to {contract.owner}, not to {operator}"
        )
    return FeedDecision(FeedAction.CONFIGURE, reason)


def config_differences(wanted: OcrConfig, found: OcrConfig) -> tuple[str, ...]:
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


def decide_node(
    node_name: str,
    bundle_id: str | None,
    bridge_url: str,
    wanted: Sequence[JobSpec],
    found: NodeState,
    *,
    all_feeds: bool,
) -> tuple[NodeChange, ...]:
    """
    Return a node's changes in the order they must be made; `bundle_id` is None for a bootstrap node.

    Only if `wanted` has the jobs of `all_feeds`, a job of ours that is not among them is known to be out of use.
    """
    changes: list[NodeChange] = []
    if bundle_id is not None and bundle_id not in found.bundle_ids:
        changes.append(ImportBundle(bundle_id))
    if bundle_id is not None and found.bridge_url != bridge_url:
        changes.append(SetBridge(bridge_url, found.bridge_url is not None))
    by_id = {spec.external_job_id: spec for spec in wanted}
    kept: set[str] = set()
    for job in found.jobs:
        attributes = job["attributes"]
        external_id = str(attributes.get("externalJobID"))
        spec = by_id.get(external_id)
        if spec is None:
            reason = _obstacle(attributes, wanted)
            if not reason and all_feeds and is_ours(attributes, node_name):
                reason = "its feed is not configured"
        else:
            differences = spec.differences(attributes)
            reason = f"it differs in {', '.join(differences)}" if differences else ""
            if not differences:
                kept.add(external_id)
        if reason:
            changes.append(DeleteJob(str(job["id"]), str(attributes.get("name")), reason))
    changes += [CreateJob(spec) for spec in wanted if spec.external_job_id not in kept]
    return tuple(changes)


def _obstacle(attributes: Mapping[str, Any], wanted: Sequence[JobSpec]) -> str:
    """Return why a node could not take the wanted jobs beside this one; empty if it could."""
    if attributes.get("name") in {spec.name for spec in wanted}:
        return "it has the name of another job"
    spec = attributes.get("offChainReportingOracleSpec") or {}
    if str(spec.get("contractAddress")).lower() in {wanted_spec.contract_address.lower() for wanted_spec in wanted}:
        return "it has the contract of another job"
    return ""


def phase(*, deployed: bool, configured: bool, jobs_missing: int) -> FeedPhase:
    """Return how far a feed's set-up is."""
    if not deployed:
        return FeedPhase.PENDING
    if not configured:
        return FeedPhase.DEPLOYED
    return FeedPhase.CONFIGURED if jobs_missing else FeedPhase.RUNNING
