"""The jobs that nodes run for a feed: which ids and timeouts they have, and the pipeline that gets the price."""

import uuid
from collections.abc import Mapping
from typing import Any

import orjson

from chainlink import jobs
from chainlink.jobs import JobSpec
from chainlink.units import NS_PER_MS
from meshkit.ocr import timing
from services.operator.config import OcrSettings
from services.operator.nodes.identity import NodeIdentity

BRIDGE_NAME = "feedmesh-quotes"
# Version 5 UUIDs of job ids live in this namespace. Never change it: every job of every node would be made anew.
_NAMESPACE = uuid.UUID("5d6a5f5e-5b0e-5c0e-9e0a-3f7a2b8c4d10")


def external_job_id(chain_id: int, contract_address: str, node_name: str) -> str:
    """Return the id that a node's job for a contract always has: a version 5 UUID of the three."""
    return str(uuid.uuid5(_NAMESPACE, f"{chain_id}/{contract_address.lower()}/{node_name}"))


def job_name(feed: str, *, is_bootstrap: bool) -> str:
    """Return the name of a feed's job."""
    return f"bootstrap {feed}" if is_bootstrap else feed


def is_ours(attributes: Mapping[str, Any], node_name: str) -> bool:
    """Tell whether a job was made by an operator: its id is the one derived from its own contract and node."""
    contract = jobs.contract_of(attributes)
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


def observation_timeout_ms(settings: OcrSettings) -> int:
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
