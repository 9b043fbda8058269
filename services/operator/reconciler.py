"""Bring contracts, funds, bridges and jobs to the configured state: observe, decide, act, part by part."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

from meshkit.clock import Clock
from meshkit.errors import MeshError
from services.operator.concurrently import together
from services.operator.config import FeedTarget, OperatorConfig
from services.operator.errors import FeedFilesFaulty, IdentitiesRefused
from services.operator.feed_phase import FeedPhase, phase
from services.operator.feed_verification import Verification, of_node
from services.operator.funding.faucet import Faucet
from services.operator.nodes.identity import NodeIdentity, bootstrappers, oracles
from services.operator.nodes.node_setup import NodeCounted, NodeSetup
from services.operator.nodes.prepare_nodes import Preparation
from services.operator.onchain.chain import Chain
from services.operator.onchain.configuration.admin import Admin
from services.operator.onchain.configuration.calls import ConfigCall
from services.operator.onchain.contract_changes import FeedAction
from services.operator.onchain.contract_setup import ContractSetup
from services.operator.onchain.known_contracts import KnownContract, KnownContracts
from services.operator.onchain.lost_contracts import LostContracts
from services.operator.onchain.transactions import Sender
from services.operator.outcome import Outcome, joined

# Of EVM and P2P; an oracle has more.
_LEAST_KEYS = 2


@dataclass(frozen=True, slots=True)
class Part:
    """Hold something that is reconciled by itself: its name, one pass, and whether all was as wanted when last seen."""

    name: str
    run: Callable[[], Awaitable[Outcome]]
    is_settled: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Changed:
    """Hold what was done to contracts, or the transactions that would do it."""

    outcome: Outcome
    planned: tuple[ConfigCall, ...] = ()


class Reconciler:
    """
    Own the way to the wanted state.

    The parts are the chain (contracts and funds, whose transactions share blocks) and each node: a slow or dead node
    holds up no other. What fails is reported and left to the next pass; what was done stays done.
    """

    def __init__(
        self,
        config: OperatorConfig,
        prepared: Preparation,
        chain: Chain,
        sender: Sender,
        known: KnownContracts,
        clock: Clock,
        node_counted: NodeCounted = lambda _node, _failure: None,
        paid: Callable[[NodeIdentity, int], None] = lambda _node, _wei: None,
        admin: Admin | None = None,
    ) -> None:
        self._config = config
        self._feeds = {feed.name: feed for feed in config.feeds}
        able = oracles(prepared.identities)
        self._contracts = ContractSetup(config, able, chain, sender, known, admin)
        addresses = [
            address for oracle in able for address in (oracle.ocr.signing_address, oracle.node.transmitter_address)
        ]
        self._lost = LostContracts(
            config,
            chain,
            known,
            sender.address,
            addresses,
            keys_are_new=prepared.created_keys >= _LEAST_KEYS * len(prepared.nodes),
        )
        self.faucet = Faucet(config, able, chain, sender, clock, paid)
        locators = bootstrappers(prepared.identities, config.ports)
        self._nodes = tuple(NodeSetup(config, node, locators, clock, node_counted) for node in prepared.nodes)
        faults = config.feed_faults
        self._feed_faults: Mapping[str, MeshError] = {"feeds": FeedFilesFaulty(faults)} if faults else {}
        self._chain_pass = asyncio.Lock()
        self._node_passes = {node.name: asyncio.Lock() for node in self._nodes}

    async def close(self) -> None:
        """Close the connections to the nodes."""
        await asyncio.gather(*(node.close() for node in self._nodes))

    @property
    def parts(self) -> tuple[Part, ...]:
        """Return the parts, the chain first."""
        nodes = (
            Part(node.name, partial(self._run_node, node), partial(self._has_all_jobs, node)) for node in self._nodes
        )
        return (Part("chain", self._run_chain, self._is_configured), *nodes)

    @property
    def records(self) -> Mapping[str, KnownContract]:
        """Return the feeds' contracts as far as they are known, by feed name."""
        known = {feed.name: self._contracts.record(feed) for feed in self._config.feeds}
        return MappingProxyType({name: record for name, record in known.items() if record is not None})

    def record(self, feed: str) -> KnownContract | None:
        """Return a feed's contract as far as it is known."""
        return self._contracts.record(self._feeds[feed])

    def phase(self, feed: str) -> FeedPhase:
        """Return how far a feed's set-up is, as last seen."""
        record = self.record(feed)
        address = None if record is None else record.address
        return phase(
            deployed=self._contracts.is_deployed(feed),
            configured=self._contracts.is_configured(feed),
            jobs_missing=sum(node.job_contracts.get(feed) != address for node in self._nodes),
        )

    def differences(self, feed: str) -> tuple[str, ...]:
        """Return in words in what a feed's contract is not configured as wanted, as last seen."""
        return self._contracts.differences(feed)

    @property
    def node_differences(self) -> Mapping[str, Mapping[str, int]]:
        """Return by node how many things of each kind were not as wanted when it was last looked at."""
        return {node.name: node.differing for node in self._nodes}

    @property
    def all_running(self) -> bool:
        """Tell whether every feed has its contract, its configuration and all its jobs, as last seen."""
        return all(self.phase(feed.name) is FeedPhase.RUNNING for feed in self._config.feeds)

    async def run(self) -> Outcome:
        """Make one pass over all parts, the nodes at once; what it cannot do is in the outcome, not raised."""
        outcomes = [await self._run_chain()]
        outcomes += await asyncio.gather(*(self._run_node(node) for node in self._nodes))
        return joined(outcomes)

    async def verify(self) -> Verification:
        """Look at contracts and nodes anew, change nothing, and return in words what differs."""
        differences: dict[str, list[str]] = {feed.name: [] for feed in self._config.feeds}
        problems = [str(fault) for fault in self._feed_faults.values()]
        async with self._chain_pass:
            try:
                errors = (await self._contracts.look()).errors
            except IdentitiesRefused as refusal:
                errors = {"chain": refusal}
        for name, error in errors.items():
            if name in differences:
                differences[name].append(f"contract: {error}")
            else:
                problems.append(f"{name}: {error}")
        for feed in self._config.feeds:
            if feed.name in errors or "chain" in errors:
                continue
            if not self._contracts.is_deployed(feed.name):
                differences[feed.name].append("contract: there is none")
            found = self._contracts.differences(feed.name)
            differences[feed.name] += [f"contract: {each}" for each in found]
        contracts = self._job_contracts()
        looks = await asyncio.gather(*(self._look_at(node, contracts) for node in self._nodes))
        for by_feed, others in looks:
            problems += others
            for name, texts in by_feed.items():
                differences[name] += texts
        return Verification({name: tuple(each) for name, each in differences.items()}, tuple(problems))

    async def _look_at(
        self, node: NodeSetup, contracts: Mapping[FeedTarget, str]
    ) -> tuple[Mapping[str, list[str]], tuple[str, ...]]:
        async with self._node_passes[node.name]:
            try:
                return of_node(node.name, await node.look(contracts, self._contracts.config_blocks), tuple(self._feeds))
            except MeshError as error:
                return {}, (f"{node.name}: {error}",)

    async def change(self, action: FeedAction, names: Collection[str], *, dry_run: bool) -> "Changed":
        """
        Deploy or configure the contracts of some feeds, or only say what would be sent.

        Raises:
            IdentitiesRefused: when every contract that lists oracles lists some that are not ours.
        """
        async with self._chain_pass:
            look = (await self._contracts.look()).only(names, action)
            if dry_run:
                return Changed(planned=self._contracts.planned(look), outcome=Outcome(errors=look.errors))
            return Changed(outcome=await self._contracts.act(look))

    async def jobs(self) -> tuple[tuple[str, tuple[Mapping[str, Any], ...] | MeshError], ...]:
        """Return each node's name and jobs as it answers them, or why it does not."""

        async def of(node: NodeSetup) -> tuple[Mapping[str, Any], ...] | MeshError:
            try:
                return await node.jobs()
            except MeshError as error:
                return error

        found = await asyncio.gather(*map(of, self._nodes))
        return tuple((node.name, each) for node, each in zip(self._nodes, found, strict=True))

    async def _run_chain(self) -> Outcome:
        async with self._chain_pass:
            # Nothing is deployed before it is known that there is nothing; nobody is paid either.
            try:
                found = await self._lost.run()
            except MeshError as error:
                found = Outcome(errors={"chain": error})
            if found.errors:
                self._contracts.looked.set()
                return found
            # Nobody is paid before it is known that these nodes are those that the contracts list.
            look = await self._contracts.look()
            listed = Outcome(errors=self._feed_faults)
            return joined((found, listed, *await together((self._contracts.act(look), self.faucet.run()))))

    async def _run_node(self, node: NodeSetup) -> Outcome:
        # Until the chain was looked at, the known contracts may be those of a dev chain that is gone.
        await self._contracts.looked.wait()
        async with self._node_passes[node.name]:
            return await node.run(self._job_contracts(), self._contracts.config_blocks)

    def _job_contracts(self) -> dict[FeedTarget, str]:
        """Return the contracts that get jobs: configured ones, since a node seldom looks for a new configuration."""
        records = self.records
        return {
            feed: record.address
            for feed in self._config.feeds
            if (record := records.get(feed.name)) is not None
            and record.config_digest
            # A node of OCR2 has to be told where the configuration is.
            and (feed.ocr_version == 1 or feed.name in self._contracts.config_blocks)
        }

    def _is_configured(self) -> bool:
        return all(self._contracts.is_configured(feed.name) for feed in self._config.feeds)

    def _has_all_jobs(self, node: NodeSetup) -> bool:
        known = {name: record.address for name, record in self.records.items()}
        return len(known) == len(self._config.feeds) and dict(node.job_contracts) == known
