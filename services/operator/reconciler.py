"""Bring contracts, funds, bridges and jobs to the configured state: observe, decide, act, one pass a call."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from meshkit.clock import Clock
from meshkit.errors import MeshError
from services.operator.chain import Chain
from services.operator.config import OperatorConfig
from services.operator.feed_reconciler import FeedReconciler
from services.operator.identity import bootstrappers, oracles
from services.operator.node_reconciler import NodeReconciler
from services.operator.nodefiles import Preparation
from services.operator.reconcile import FeedPhase, phase
from services.operator.state import FeedRecord, FeedStore
from services.operator.transactions import Sender


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    Hold what one pass changed, in words and in order, and what it could not do.

    The errors stand under the part that has them: `chain`, `faucet`, a feed's name or a node's.
    """

    changes: tuple[str, ...]
    errors: Mapping[str, MeshError]


class Reconciler:
    """
    Own the way to the wanted state; one pass at a time.

    A pass begins with contracts and funds, whose transactions share blocks; then come all nodes at once. What fails
    is reported and left to the next pass; what was done stays done.
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
        self._pass = asyncio.Lock()

    async def close(self) -> None:
        """Close the connections to the nodes."""
        await asyncio.gather(*(node.close() for node in self._nodes))

    @property
    def records(self) -> Mapping[str, FeedRecord]:
        """Return the feeds' contracts as far as they are known, by feed name."""
        known = {feed.name: self._feeds.record(feed) for feed in self._config.feeds}
        return MappingProxyType({name: record for name, record in known.items() if record is not None})

    def phase(self, feed: str) -> FeedPhase:
        """Return how far a feed's set-up is, as last seen."""
        return phase(
            deployed=self._feeds.is_deployed(feed),
            configured=self._feeds.is_configured(feed),
            jobs_missing=sum(feed not in node.feeds for node in self._nodes),
        )

    @property
    def all_running(self) -> bool:
        """Tell whether every feed has its contract, its configuration and all its jobs, as last seen."""
        return all(self.phase(feed.name) is FeedPhase.RUNNING for feed in self._config.feeds)

    async def run(self) -> Outcome:
        """Make one pass; what it cannot do is in the outcome, not raised."""
        async with self._pass:
            changes: list[str] = []
            errors: dict[str, MeshError] = {}
            await asyncio.gather(
                self._feeds.reconcile_contracts(changes, errors), self._feeds.reconcile_funds(changes, errors)
            )
            # A job is made when its contract is configured: a node looks for a new configuration only now and then.
            records = self.records
            contracts = {
                feed: record.address
                for feed in self._config.feeds
                if (record := records.get(feed.name)) is not None and record.config_digest
            }
            await asyncio.gather(*(node.reconcile(contracts, changes, errors) for node in self._nodes))
            return Outcome(tuple(changes), MappingProxyType(errors))
