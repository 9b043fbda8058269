"""Bring each node's keys, bridge and jobs to the configured state."""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType

from chainlink.jobs import JobSpec
from meshkit.errors import MeshError
from services.operator.config import FeedTarget, OperatorConfig
from services.operator.errors import NodeRefused, NodeUnavailable, TemplateRefused
from services.operator.nodes import feed_jobs
from services.operator.nodes.job_and_bridge_changes import (
    CreateJob,
    DeleteJob,
    ImportBundle,
    NodeChange,
    NodeState,
    SetBridge,
    decide_node,
)
from services.operator.nodes.prepare_nodes import PreparedNode
from services.operator.nodes.rest_client import NodeClient
from services.operator.outcome import Outcome

_BRIDGE_PATH = "/quotes/batch"


class NodeSetup:
    """Own the way of one node to its wanted state."""

    def __init__(self, config: OperatorConfig, node: PreparedNode, bootstrappers: tuple[str, ...]) -> None:
        self._config = config
        self._node = node
        self._bootstrappers = bootstrappers
        self._client = NodeClient(
            node.identity.name,
            f"http://127.0.0.1:{config.ports.node_api(node.identity.index)}",
            config.credentials.api_email,
            config.credentials.api_password,
        )
        self._jobs: dict[str, str] = {}

    @property
    def name(self) -> str:
        """Return the node's name."""
        return self._node.identity.name

    @property
    def job_contracts(self) -> Mapping[str, str]:
        """Return the contract of each feed's job, as last seen; a node that does not answer keeps what it had."""
        return MappingProxyType(self._jobs)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def run(self, contracts: Mapping[FeedTarget, str]) -> Outcome:
        """Bring the node to have a job for each contract, given by feed; an error stands under the node's name."""
        identity = self._node.identity
        changes: list[str] = []
        refused: dict[str, MeshError] = {}
        try:
            if not await self._client.is_ready():
                raise NodeUnavailable(self.name, "GET /readyz", "not ready")
            wanted = self._wanted(contracts, refused)
            decided = decide_node(
                self.name,
                identity.ocr.bundle_id if identity.ocr else None,
                f"http://127.0.0.1:{self._config.ports.aggregator}{_BRIDGE_PATH}",
                tuple(wanted.values()),
                await self._observe(),
                all_feeds=len(wanted) == len(self._config.feeds),
            )
            missing = {change.spec for change in decided if isinstance(change, CreateJob)}
            self._jobs = {feed: spec.contract_address for feed, spec in wanted.items() if spec not in missing}
            for change in decided:
                await self._apply(change)
                changes.append(f"{self.name}: {change}")
            self._jobs = {feed: spec.contract_address for feed, spec in wanted.items()}
        except MeshError as error:
            return Outcome(tuple(changes), {**refused, self.name: error})
        return Outcome(tuple(changes), refused)

    async def _observe(self) -> NodeState:
        identity, client = self._node.identity, self._client
        addresses, peer_ids, bundles, bridge_url, found = await asyncio.gather(
            client.evm_addresses(),
            client.peer_ids(),
            client.ocr_bundle_ids(),
            client.bridge_url(feed_jobs.BRIDGE_NAME),
            client.jobs(),
        )
        if identity.transmitter_address.lower() not in addresses:
            raise NodeRefused(
                identity.name, "GET /v2/keys/evm", 200, f"{identity.transmitter_address} of secrets.toml is missing"
            )
        if identity.peer_id not in peer_ids:
            raise NodeRefused(identity.name, "GET /v2/keys/p2p", 200, f"{identity.peer_id} of secrets.toml is missing")
        return NodeState(bundles, bridge_url, found)

    async def _apply(self, change: NodeChange) -> None:
        client = self._client
        match change:
            case ImportBundle(bundle_id):
                if self._node.ocr_export is None:
                    raise AssertionError("a bootstrap node has no bundle to import")
                password = self._config.credentials.keystore_password
                imported = await client.import_ocr_bundle(self._node.ocr_export, password)
                if imported != bundle_id:
                    raise NodeRefused(client.name, "POST /v2/keys/ocr/import", 200, f"the bundle became {imported}")
            case SetBridge(url, exists=True):
                await client.update_bridge(feed_jobs.BRIDGE_NAME, url)
            case SetBridge(url):
                await client.create_bridge(feed_jobs.BRIDGE_NAME, url)
            case DeleteJob(job_id):
                await client.delete_job(job_id)
            case CreateJob(spec):
                await client.create_job(spec)

    def _wanted(self, contracts: Mapping[FeedTarget, str], refused: dict[str, MeshError]) -> dict[str, JobSpec]:
        """Return the job of each feed; one whose template nodes would refuse is left out and told."""
        wanted: dict[str, JobSpec] = {}
        for feed, address in contracts.items():
            try:
                wanted[feed.name] = self._job(feed, address)
            except TemplateRefused as error:
                refused[feed.name] = error
        return wanted

    def _job(self, feed: FeedTarget, address: str) -> JobSpec:
        identity, chain_id = self._node.identity, self._config.chain.chain_id
        if feed.template is not None:
            port = self._config.ports.aggregator
            return feed_jobs.template_job(feed.template, chain_id, address, identity, self._bootstrappers, port)
        if identity.ocr is None:
            return feed_jobs.bootstrap_job(feed.name, chain_id, address, identity)
        timeout_ms = feed_jobs.observation_timeout_ms(self._config.ocr_of(feed))
        return feed_jobs.oracle_job(
            feed.name, feed.decimals, chain_id, address, identity, self._bootstrappers, timeout_ms
        )
