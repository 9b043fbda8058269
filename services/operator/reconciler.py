"""Bring contracts, funds, bridges and jobs to the configured state: observe, decide, act, part by part."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from meshkit.clock import Clock
from meshkit.errors import MeshError
from services.operator.concurrently import together
from services.operator.config import FeedTarget, OperatorConfig
from services.operator.nodes.identity import bootstrappers, oracles
from services.operator.nodes.node_files import Preparation
from services.operator.nodes.node_reconciler import NodeReconciler
from services.operator.onchain.chain import Chain
from services.operator.onchain.feed_reconciler import FeedReconciler
from services.operator.onchain.transactions import Sender
from services.operator.reconcile import FeedPhase, phase
from services.operator.saved_state import FeedRecord, FeedStore


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    Hold what one pass changed, in words and in order, and what it could not do.

    The errors stand under the part that has them: `chain`, `faucet`, a feed's name or a node's.
    """

    changes: tuple[str, ...]
    errors: Mapping[str, MeshError]


@dataclass(frozen=True, slots=True)
class Part:
    """Hold something that is reconciled by itself: its name, one pass, and whether all was as wanted when last seen."""

    name: str
    run: Callable[[], Awaitable[Outcome]]
    is_settled: Callable[[], bool]


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
        store: FeedStore,
        clock: Clock,
    ) -> None:
        self._config = config
        self._feeds = FeedReconciler(config, oracles(prepared.identities), chain, sender, store, clock)
        locators = bootstrappers(prepared.identities, config.ports.node_p2p_base)
        self._nodes = tuple(NodeReconciler(config, node, locators) for node in prepared.nodes)
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
    def records(self) -> Mapping[str, FeedRecord]:
        """Return the feeds' contracts as far as they are known, by feed name."""
        known = {feed.name: self._feeds.record(feed) for feed in self._config.feeds}
        return MappingProxyType({name: record for name, record in known.items() if record is not None})

    def phase(self, feed: str) -> FeedPhase:
        """Return how far a feed's set-up is, as last seen."""
        record = self.records.get(feed)
        address = None if record is None else record.address
        return phase(
            deployed=self._feeds.is_deployed(feed),
            configured=self._feeds.is_configured(feed),
            jobs_missing=sum(node.job_contracts.get(feed) != address for node in self._nodes),
        )

    @property
    def all_running(self) -> bool:
        """Tell whether every feed has its contract, its configuration and all its jobs, as last seen."""
        return all(self.phase(feed.name) is FeedPhase.RUNNING for feed in self._config.feeds)

    async def run(self) -> Outcome:
        """Make one pass over all parts, the nodes at once; what it cannot do is in the outcome, not raised."""
        outcomes = [await self._run_chain()]
        outcomes += await asyncio.gather(*(self._run_node(node) for node in self._nodes))
        return Outcome(
            tuple(change for outcome in outcomes for change in outcome.changes),
            MappingProxyType({part: error for outcome in outcomes for part, error in outcome.errors.items()}),
        )

    async def _run_chain(self) -> Outcome:
        async with self._chain_pass:
            changes: list[str] = []
            errors: dict[str, MeshError] = {}
            await together(
                (self._feeds.reconcile_contracts(changes, errors), self._feeds.reconcile_funds(changes, errors))
            )
            return Outcome(tuple(changes), MappingProxyType(errors))

    async def _run_node(self, node: NodeReconciler) -> Outcome:
        # Until the chain was looked at, the recorded contracts may be those of a dev chain that is gone.
        await self._feeds.looked.wait()
        async with self._node_passes[node.name]:
            changes: list[str] = []
            errors: dict[str, MeshError] = {}
            await node.reconcile(self._job_contracts(), changes, errors)
            return Outcome(tuple(changes), MappingProxyType(errors))

    def _job_contracts(self) -> dict[FeedTarget, str]:
        """Return the contracts that get jobs: configured ones, since a node seldom looks for a new configuration."""
        records = self.records
        return {
            feed: record.address
            for feed in self._config.feeds
            if (record := records.get(feed.name)) is not None and record.config_digest
        }

    def _is_configured(self) -> bool:
        return all(self._feeds.is_configured(feed.name) for feed in self._config.feeds)

    def _has_all_jobs(self, node: NodeReconciler) -> bool:
        known = {name: record.address for name, record in self.records.items()}
        return len(known) == len(self._config.feeds) and dict(node.job_contracts) == known
