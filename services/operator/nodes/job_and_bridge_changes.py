"""What a node needs to be as configured: its changes in the order they must be made, values in, values out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chainlink.jobs import JobSpec
from services.operator.nodes.feed_jobs import BRIDGE_NAME, is_ours


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
