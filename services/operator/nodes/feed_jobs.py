"""The jobs that nodes run for a feed: which ids and timeouts they have, and the pipeline that gets the price."""

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from chainlink import jobs
from chainlink.errors import SpecInvalid, SpecMalformed
from chainlink.jobs import JobSpec
from chainlink.ocr2 import jobs as ocr2_jobs
from chainlink.ocr2.jobs import Ocr2JobSpec
from chainlink.units import NS_PER_MS
from meshkit.configuration.feeds.timings import FeedTimings
from meshkit.job_templates.placeholders import JobValues, filled
from meshkit.job_templates.template import JobTemplate
from meshkit.ocr import timing
from services.operator.errors import TemplateRefused
from services.operator.nodes.identity import NodeIdentity

FeedJob = JobSpec | Ocr2JobSpec
"""A node's job for a feed, of either protocol."""

BRIDGE_NAME = "feedmesh-quotes"
# Version 5 UUIDs of job ids live in this namespace. Never change it: every job of every node would be made anew.
_NAMESPACE = uuid.UUID("5d6a5f5e-5b0e-5c0e-9e0a-3f7a2b8c4d10")

# Keys of a template that nodes refuse in a bootstrap node's job.
_OF_ORACLES = frozenset({"observationSource", "keyBundleID", "transmitterAddress"})


def external_job_id(chain_id: int, contract_address: str, node_name: str) -> str:
    """Return the id that a node's job for a contract always has: a version 5 UUID of the three."""
    return str(uuid.uuid5(_NAMESPACE, f"{chain_id}/{contract_address.lower()}/{node_name}"))


def job_name(feed: str, *, is_bootstrap: bool) -> str:
    """Return the name of a feed's job."""
    return f"bootstrap {feed}" if is_bootstrap else feed


def contract_of(attributes: Mapping[str, Any]) -> tuple[int, str] | None:
    """Return chain id and contract address of a job that a node answers, None if it is no job of an OCR contract."""
    return jobs.contract_of(attributes) or ocr2_jobs.contract_of(attributes)


def is_ours(attributes: Mapping[str, Any], node_name: str) -> bool:
    """Tell whether a job was made by an operator: its id is the one derived from its own contract and node."""
    contract = contract_of(attributes)
    given = str(attributes.get("externalJobID")).lower()
    return contract is not None and external_job_id(*contract, node_name) == given


def oracle_job(
    feed: str,
    decimals: int,
    chain_id: int,
    contract_address: str,
    node: NodeIdentity,
    bootstrappers: tuple[str, ...],
    timeout_ms: int,
) -> JobSpec:
    """Return an oracle's job for a feed; `timeout_ms` is how long an observation may take."""
    if node.ocr is None:
        raise ValueError(f"{node.name} is a bootstrap node and cannot observe")
    return JobSpec(
        name=job_name(feed, is_bootstrap=False),
        external_job_id=external_job_id(chain_id, contract_address, node.name),
        chain_id=chain_id,
        contract_address=contract_address,
        is_bootstrap=False,
        bootstrappers=bootstrappers,
        key_bundle_id=node.ocr.bundle_id,
        transmitter_address=node.transmitter_address,
        observation_timeout_ns=timeout_ms * NS_PER_MS,
        observation_source=observation_source(feed, decimals, timeout_ms),
    )


def bootstrap_job(feed: str, chain_id: int, contract_address: str, node: NodeIdentity) -> JobSpec:
    """Return a bootstrap node's job for a feed: oracles of a contract meet only through one."""
    return JobSpec(
        name=job_name(feed, is_bootstrap=True),
        external_job_id=external_job_id(chain_id, contract_address, node.name),
        chain_id=chain_id,
        contract_address=contract_address,
        is_bootstrap=True,
    )


def template_job(
    template: JobTemplate,
    chain_id: int,
    contract_address: str,
    node: NodeIdentity,
    bootstrappers: tuple[str, ...],
    aggregator_port: int,
) -> JobSpec:
    """
    Return a node's job as a template has it, with this node's values; only its id is one of ours.

    A bootstrap node's has no pipeline and no keys, since nodes refuse them there.

    Raises:
        TemplateRefused: naming the file, when no node would take it.
    """
    is_bootstrap = node.ocr is None
    values = JobValues(
        contract_address=contract_address,
        chain_id=chain_id,
        is_bootstrap=is_bootstrap,
        peer_id=node.peer_id,
        bootstrap_peers=() if is_bootstrap else bootstrappers,
        key_bundle_id="" if node.ocr is None else node.ocr.bundle_id,
        transmitter_address=node.transmitter_address,
        aggregator_port=aggregator_port,
    )
    try:
        document = dict(jobs.document_of(filled(template.text, values)))
        if is_bootstrap:
            document = {name: value for name, value in document.items() if name not in _OF_ORACLES}
        # What nodes are is not for a template to say, nor what contract is this feed's.
        document |= {"isBootstrapPeer": is_bootstrap, "contractAddress": contract_address, "evmChainID": str(chain_id)}
        spec = JobSpec.read(document)
    except (SpecInvalid, SpecMalformed) as error:
        raise TemplateRefused(template.file, error) from error
    name = f"bootstrap {template.name}" if is_bootstrap else template.name
    return replace(spec, name=name, external_job_id=external_job_id(chain_id, contract_address, node.name))


def observation_timeout_ms(settings: FeedTimings) -> int:
    """Return how long an observation may take."""
    return timing.observation_timeout_ms(settings.delta_round_ms, settings.delta_grace_ms)


def observation_source(feed: str, decimals: int, timeout_ms: int) -> str:
    """Return the pipeline: ask the aggregator, take the price out of its answer, scale it to the feed's decimals."""
    request = orjson.dumps({"data": {"feed": feed}}).decode().replace("\\", "\\\\").replace('"', '\\"')
    # The task must end before the observation does, so that its own error is what is reported.
    task_ms = timeout_ms * 9 // 10
    return (
        f'\n    quote [type=bridge name="{BRIDGE_NAME}" requestData="{request}" timeout="{task_ms}ms"];\n'
        '    price [type=jsonparse path="data,result"];\n'
        f"    answer [type=multiply times={10**decimals}];\n"
        "    quote -> price -> answer;\n"
    )
