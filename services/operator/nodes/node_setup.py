"""Bring each node's keys, bridge and jobs to the configured state."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from meshkit.clock import Clock
from meshkit.errors import MeshError
from services.operator.config import FeedTarget, OperatorConfig
from services.operator.errors import NodeFailure, NodeRefused, NodeUnavailable, TemplateRefused
from services.operator.nodes import apply_changes, feed_jobs, ocr2_jobs
from services.operator.nodes.feed_jobs import FeedJob
from services.operator.nodes.job_and_bridge_changes import (
    CreateJob,
    DeleteJob,
    EnableAccount,
    ImportBundle,
    NodeChange,
    NodeState,
    SetBridge,
    WantedJobs,
    answered_otherwise,
    decide_node,
)
from services.operator.nodes.prepare_nodes import PreparedNode
from services.operator.nodes.rest_client import NodeClient
from services.operator.nodes.session_file import SessionFile
from services.operator.outcome import Outcome

_BRIDGE_PATH = "/quotes/batch"
NodeCounted = Callable[[str, NodeFailure | None], None]
"""Is told of each failed request to a node why it failed, and of each login with None."""


class NodeSetup:
    """
    Own the way of one node to its wanted state.

    Attributes:
        differing: How many things of each kind, account, bundle, bridge or job, were not as wanted when last looked at.
    """

    def __init__(
        self,
        config: OperatorConfig,
        node: PreparedNode,
        bootstrappers: tuple[str, ...],
        clock: Clock,
        counted: NodeCounted = lambda _node, _failure: None,
    ) -> None:
        self._config = config
        self._node = node
        self._bootstrappers = bootstrappers
        self.name = node.identity.name
        self._client = NodeClient(
            self.name,
            f"http://127.0.0.1:{config.ports.node_api(node.identity.index)}",
            config.credentials.api_email,
            config.credentials.api_password,
            clock=clock,
            kept=SessionFile(config.data.operator / "sessions" / f"{self.name}.json"),
            counted=lambda failure: counted(self.name, failure),
        )
        self._jobs: dict[str, str] = {}
        self._specs: dict[tuple[FeedTarget, str], FeedJob] = {}
        self._answered_otherwise: dict[str, tuple[str, ...]] = {}
        self.differing: Mapping[str, int] = MappingProxyType({})

    @property
    def job_contracts(self) -> Mapping[str, str]:
        """Return the contract of each feed's job, as last seen; a node that does not answer keeps what it had."""
        return MappingProxyType(self._jobs)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def run(self, contracts: Mapping[FeedTarget, str], config_blocks: Mapping[str, int]) -> Outcome:
        """
        Bring the node to have a job for each contract, given by feed; an error stands under the node's name.

        `config_blocks` has by feed name the block of the contract's configuration, of OCR2 for each.
        """
        changes: list[str] = []
        refused: dict[str, MeshError] = {}
        try:
            if not await self._client.is_ready():
                raise NodeUnavailable(self.name, "GET /readyz", "not ready", NodeFailure.NOT_READY)
            wanted = self._wanted(contracts, config_blocks, refused)
            found = await self._observe()
            decided = self._decide(wanted, found)
            made = {change.spec for change in decided if isinstance(change, CreateJob)}
            self._jobs = {feed.name: contracts[feed] for feed, spec in wanted.items() if spec not in made}
            self._count(decided)
            await apply_changes.apply(
                self._client,
                decided,
                self._exports(),
                self._config.credentials.keystore_password,
                (self._node.identity.transmitter_address, self._config.chain.chain_id),
                lambda change: self._done(change, changes),
            )
            self._jobs = {feed.name: contracts[feed] for feed in wanted}
            if made:
                await self._look_again(made)
            self._count(())
        except MeshError as error:
            return Outcome(tuple(changes), {**refused, self.name: error})
        return Outcome(tuple(changes), refused)

    async def look(
        self, contracts: Mapping[FeedTarget, str], config_blocks: Mapping[str, int]
    ) -> tuple[NodeChange, ...]:
        """
        Return what the node is not as wanted, without changing it.

        Raises:
            NodeUnavailable: when it does not answer, or is not ready.
            NodeRefused: when it lacks a key that its files give it.
            TemplateRefused: for a template that becomes no job.
        """
        if not await self._client.is_ready():
            raise NodeUnavailable(self.name, "GET /readyz", "not ready", NodeFailure.NOT_READY)
        refused: dict[str, MeshError] = {}
        wanted = self._wanted(contracts, config_blocks, refused)
        for error in refused.values():
            raise error
        return self._decide(wanted, await self._observe())

    async def jobs(self) -> tuple[Mapping[str, Any], ...]:
        """Return all jobs as the node answers them. Raises NodeUnavailable, NodeRefused."""
        return await self._client.jobs()

    def _exports(self) -> dict[str, str]:
        identity, node = self._node.identity, self._node
        pairs = ((identity.ocr, node.ocr_export), (identity.ocr2, node.ocr2_export))
        return {keys.bundle_id: export for keys, export in pairs if keys is not None and export is not None}

    def _done(self, change: NodeChange, changes: list[str]) -> None:
        changes.append(f"{self.name}: {change}")

    def _wanted(
        self, contracts: Mapping[FeedTarget, str], config_blocks: Mapping[str, int], refused: dict[str, MeshError]
    ) -> dict[FeedTarget, FeedJob]:
        """Return the feeds' jobs, each made up once; one whose template nodes would refuse is left out and told."""
        specs: dict[tuple[FeedTarget, str], FeedJob] = {}
        for key in contracts.items():
            try:
                specs[key] = self._specs[key] if key in self._specs else self._job(*key, config_blocks)
            except TemplateRefused as error:
                refused[key[0].name] = error
        self._specs = specs
        return {feed: spec for (feed, _), spec in specs.items()}

    def _decide(self, wanted: Mapping[FeedTarget, FeedJob], found: NodeState) -> tuple[NodeChange, ...]:
        ocr, ocr2 = self._node.identity.ocr, self._node.identity.ocr2
        feeds = self._config.feeds
        all_listed = not self._config.feed_faults
        # What is in a template that is not read, or whose contract is not known, may have any name.
        named_by_us = all_listed and not any(feed.template for feed in feeds if feed not in wanted)
        names = {feed_jobs.job_name(feed.name, is_bootstrap=ocr is None) for feed in feeds}
        return decide_node(
            self.name,
            ocr.bundle_id if ocr else None,
            f"http://127.0.0.1:{self._config.ports.aggregator}{_BRIDGE_PATH}",
            WantedJobs(
                tuple(wanted.values()),
                names=names if named_by_us else None,
                all_feeds=all_listed and len(wanted) == len(feeds),
                answered_otherwise=self._answered_otherwise,
            ),
            found,
            ocr2_bundle_id=ocr2.bundle_id if ocr2 else None,
        )

    async def _observe(self) -> NodeState:
        identity, client = self._node.identity, self._client
        accounts, peer_ids, bundles, bridge, found = await asyncio.gather(
            client.evm_accounts(self._config.chain.chain_id),
            client.peer_ids(),
            client.ocr_bundle_ids(),
            client.bridge(feed_jobs.BRIDGE_NAME),
            client.jobs(),
        )
        is_on = accounts.get(identity.transmitter_address.lower())
        if is_on is None:
            raise NodeRefused(
                identity.name, "GET /v2/keys/evm", 200, f"{identity.transmitter_address} of secrets.toml is missing"
            )
        if identity.peer_id not in peer_ids:
            raise NodeRefused(identity.name, "GET /v2/keys/p2p", 200, f"{identity.peer_id} of secrets.toml is missing")
        if identity.ocr2 is not None:
            bundles |= await client.ocr_bundle_ids(2)
        return NodeState(bundles, bridge, found, is_account_off=not is_on)

    def _count(self, decided: Sequence[NodeChange]) -> None:
        jobs = {change.name for change in decided if isinstance(change, DeleteJob)}
        jobs |= {str(change.spec.name) for change in decided if isinstance(change, CreateJob)}
        self.differing = MappingProxyType(
            {
                "account": sum(isinstance(change, EnableAccount) for change in decided),
                "bundle": sum(isinstance(change, ImportBundle) for change in decided),
                "bridge": sum(isinstance(change, SetBridge) for change in decided),
                "job": len(jobs),
            }
        )

    async def _look_again(self, made: Collection[FeedJob]) -> None:
        """Remember what the node makes of the jobs that it has just been given: giving them again would be in vain."""
        answered = answered_otherwise(made, await self._client.jobs())
        given = {str(spec.external_job_id) for spec in made}
        self._answered_otherwise = {
            **{key: fields for key, fields in self._answered_otherwise.items() if key not in given},
            **answered,
        }
        if answered:
            fields = sorted({field for fields in answered.values() for field in fields})
            what = f"{len(answered)} jobs are answered otherwise than they were given: {', '.join(fields)}"
            raise NodeRefused(self.name, "GET /v2/jobs", 200, what)

    def _job(self, feed: FeedTarget, address: str, config_blocks: Mapping[str, int]) -> FeedJob:
        identity, chain_id = self._node.identity, self._config.chain.chain_id
        if feed.template is not None:
            port = self._config.ports.aggregator
            return feed_jobs.template_job(feed.template, chain_id, address, identity, self._bootstrappers, port)
        shared = (feed.name, chain_id, address, identity)
        if identity.ocr is None:
            if feed.ocr_version == 2:
                return ocr2_jobs.bootstrap_job(*shared, config_block=config_blocks[feed.name])
            return feed_jobs.bootstrap_job(*shared)
        timeout_ms = feed_jobs.observation_timeout_ms(self._config.ocr_of(feed))
        given = (feed.name, feed.decimals, chain_id, address, identity, self._bootstrappers, timeout_ms)
        if feed.ocr_version == 2:
            return ocr2_jobs.oracle_job(*given, config_block=config_blocks[feed.name])
        return feed_jobs.oracle_job(*given)
