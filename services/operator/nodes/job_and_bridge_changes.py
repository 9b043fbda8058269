"""What a node needs to be as configured: its changes in the order they must be made, values in, values out."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.operator.nodes.feed_jobs import BRIDGE_NAME, FeedJob, contract_of, is_ours
from services.operator.nodes.rest_client import Bridge


@dataclass(frozen=True, slots=True)
class NodeState:
    """
    Hold what a node answers about itself; `jobs` as its API gives them, `bundle_ids` of both protocols.

    `is_account_off`: its transmitter's key was switched off on the chain.
    """

    bundle_ids: frozenset[str]
    bridge: Bridge | None
    jobs: tuple[Mapping[str, Any], ...]
    is_account_off: bool = False


@dataclass(frozen=True, slots=True)
class EnableAccount:
    """The node does not send with its transmitter's key, since that was switched off."""

    def __str__(self) -> str:
        return "account of the transmitter enabled"


@dataclass(frozen=True, slots=True)
class ImportBundle:
    """The node lacks its key bundle of a version of OCR, 1 or 2."""

    bundle_id: str
    version: int = 1

    def __str__(self) -> str:
        protocol = "OCR" if self.version == 1 else f"OCR{self.version}"
        return f"{protocol} key bundle {self.bundle_id[:8]} imported"


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

    spec: FeedJob

    def __str__(self) -> str:
        return f"job {self.spec.name!r} created"


NodeChange = EnableAccount | ImportBundle | SetBridge | DeleteJob | CreateJob


@dataclass(frozen=True, slots=True)
class WantedJobs:
    """
    Hold the jobs that a node shall have, and what else is known of them.

    Attributes:
        specs: The jobs of those feeds whose contract is known.
        names: The names of the jobs of all configured feeds, None if not all of these are known.
        all_feeds: Whether `specs` has a job of every configured feed.
        answered_otherwise: By external job id, the fields that this node answers otherwise than it was given.
    """

    specs: Sequence[FeedJob]
    names: Collection[str] | None = None
    all_feeds: bool = False
    answered_otherwise: Mapping[str, Collection[str]] = field(default_factory=dict)

    def has_no_feed(self, name: str) -> bool:
        """Tell whether no configured feed can have a job of that name beside these."""
        return self.all_feeds or (self.names is not None and name not in self.names)


def decide_node(
    node_name: str,
    bundle_id: str | None,
    bridge_url: str,
    wanted: WantedJobs,
    found: NodeState,
    *,
    ocr2_bundle_id: str | None = None,
) -> tuple[NodeChange, ...]:
    """
    Return a node's changes in the order they must be made; `bundle_id` is None for a bootstrap node.

    `ocr2_bundle_id` is that of an oracle that serves a feed of OCR2.

    A job of ours that is not wanted goes if it has not the name of a configured feed's job, or if all of these are
    known: else its feed may only wait for its contract.
    """
    changes: list[NodeChange] = [EnableAccount()] if found.is_account_off else []
    if bundle_id is not None and bundle_id not in found.bundle_ids:
        changes.append(ImportBundle(bundle_id))
    if ocr2_bundle_id is not None and ocr2_bundle_id not in found.bundle_ids:
        changes.append(ImportBundle(ocr2_bundle_id, 2))
    if bundle_id is not None and found.bridge != Bridge(bridge_url):
        changes.append(SetBridge(bridge_url, found.bridge is not None))
    by_id = {spec.external_job_id: spec for spec in wanted.specs}
    names = {spec.name for spec in wanted.specs}
    contracts = {spec.contract_address.lower() for spec in wanted.specs}
    kept: set[str] = set()
    for job in found.jobs:
        attributes = job["attributes"]
        name, external_id = str(attributes.get("name")), str(attributes.get("externalJobID")).lower()
        spec, reason = by_id.get(external_id), ""
        if spec is None:
            contract = contract_of(attributes)
            if name in names:
                reason = "it has the name of another job"
            elif contract is not None and contract[1].lower() in contracts:
                reason = "it has the contract of another job"
            elif wanted.has_no_feed(name) and is_ours(attributes, node_name):
                reason = "its feed is not configured"
        elif external_id in kept:
            reason = "it is there twice"
        elif differences := [
            name_of_field
            for name_of_field in spec.differences(attributes)
            if name_of_field not in wanted.answered_otherwise.get(external_id, ())
        ]:
            reason = f"it differs in {', '.join(differences)}"
        else:
            kept.add(external_id)
        if reason:
            changes.append(DeleteJob(str(job["id"]), name, reason))
    changes += [CreateJob(spec) for spec in wanted.specs if spec.external_job_id not in kept]
    return tuple(changes)


def answered_otherwise(made: Collection[FeedJob], found: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    """Return by external job id in which fields a node answers jobs otherwise that it was given a moment ago."""
    by_id = {str(job["attributes"].get("externalJobID")).lower(): job["attributes"] for job in found}
    differing = {
        spec.external_job_id: spec.differences(by_id[spec.external_job_id])
        for spec in made
        if spec.external_job_id is not None and spec.external_job_id in by_id
    }
    return {external_id: fields for external_id, fields in differing.items() if fields}
