"""The jobs that nodes of Chainlink's program run for a feed of OCR2."""

from chainlink.ocr2.jobs import Ocr2JobSpec
from services.operator.nodes.feed_jobs import external_job_id, job_name, observation_source
from services.operator.nodes.identity import NodeIdentity


def oracle_job(
    feed: str,
    decimals: int,
    chain_id: int,
    contract_address: str,
    node: NodeIdentity,
    bootstrappers: tuple[str, ...],
    timeout_ms: int,
    *,
    config_block: int,
) -> Ocr2JobSpec:
    """
    Return an oracle's job; `timeout_ms` is how long an observation may take, as its contract says too.

    `config_block` is the block of the contract's configuration: a node does not look for an earlier one by itself.
    """
    if node.ocr2 is None:
        raise ValueError(f"{node.name} has no key bundle of OCR2 and cannot observe")
    return Ocr2JobSpec(
        name=job_name(feed, is_bootstrap=False),
        external_job_id=external_job_id(chain_id, contract_address, node.name),
        chain_id=chain_id,
        contract_address=contract_address,
        is_bootstrap=False,
        bootstrappers=bootstrappers,
        key_bundle_id=node.ocr2.bundle_id,
        transmitter_address=node.transmitter_address,
        observation_source=observation_source(feed, decimals, timeout_ms),
        from_block=config_block,
    )


def bootstrap_job(
    feed: str, chain_id: int, contract_address: str, node: NodeIdentity, *, config_block: int
) -> Ocr2JobSpec:
    """Return a bootstrap node's job, as `oracle_job`: oracles of a contract meet only through one."""
    return Ocr2JobSpec(
        name=job_name(feed, is_bootstrap=True),
        external_job_id=external_job_id(chain_id, contract_address, node.name),
        chain_id=chain_id,
        contract_address=contract_address,
        is_bootstrap=True,
        from_block=config_block,
    )
