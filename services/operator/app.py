"""What the operator can do, joined: preparing nodes, reconciling, and reading feeds, rounds and balances."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from meshkit.clock import Clock
from meshkit.process.background_tasks import keep_running
from services.operator import reconcile_loop
from services.operator.concurrently import together
from services.operator.config import FeedTarget, OperatorConfig
from services.operator.feed_phase import FeedPhase
from services.operator.funding import top_ups
from services.operator.funding.account_watch import FAUCET, Account, AccountState, AccountWatch
from services.operator.funding.spending_file import SpendingFile
from services.operator.funding.transmission_cost import TransmissionCost
from services.operator.metrics import OperatorMetrics
from services.operator.nodes.identity import NodeIdentity, oracles
from services.operator.nodes.prepare_nodes import Preparation
from services.operator.onchain import feed_contract
from services.operator.onchain.chain import Chain
from services.operator.onchain.configuration.admin import Admin
from services.operator.onchain.feed_contract import Answer
from services.operator.onchain.known_contracts import KnownContracts
from services.operator.onchain.rounds import FollowedFeed, NodeNames, RoundFollower
from services.operator.onchain.transactions import Sender
from services.operator.pass_watch import PassWatch, longest_pass_s
from services.operator.reconciler import Reconciler

_TRANSACTION_DEADLINE_S = 60.0
# Where earlier versions kept the contracts' addresses, in the operator's part of the data directory.
EARLIER_STATE_FILE = "feeds.json"


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """
    Hold a feed as it is now; address and digest are empty, and the answer None, as long as there is none.

    `differences` say in what its contract is not configured as wanted.
    """

    name: str
    decimals: int
    phase: FeedPhase
    address: str = ""
    config_digest: str = ""
    answer: Answer | None = None
    differences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Balances:
    """Hold all balances, what a transmission costs, and the balance under which a transmitter is topped up, in wei."""

    accounts: tuple[AccountState, ...]
    cost: TransmissionCost
    minimum_wei: int


class Operator:
    """Bind the parts that need a chain; made after the nodes' files, since those must not wait for it."""

    def __init__(
        self, config: OperatorConfig, prepared: Preparation, clock: Clock, metrics: OperatorMetrics | None = None
    ) -> None:
        self._config = config
        self._clock = clock
        self._oracles = oracles(prepared.identities)
        self._chain = Chain(config.chain.endpoints, config.chain.chain_id, config.egress)
        self._sender = self._sender_of(config.credentials.faucet_private_key)
        admin = None
        if config.admin_contract is not None:
            admin = Admin(config, self._chain, self._sender, self._sender_of)
        self._metrics = metrics or OperatorMetrics(clock)
        accounts = [Account(FAUCET, self._sender.address)]
        accounts += [Account(oracle.node.name, oracle.node.transmitter_address) for oracle in self._oracles]
        kept = SpendingFile(config.data.operator / "spending.json", config.chain.chain_id)
        self._accounts = AccountWatch(accounts, self._chain, kept, clock)
        earlier = [place.operator / EARLIER_STATE_FILE for place in config.data.earlier]
        known = KnownContracts(config.secrets.contracts, config.chain.chain_id, earlier=earlier)
        self.reconciler = Reconciler(
            config, prepared, self._chain, self._sender, known, clock, self._metrics.node_counted, self._paid, admin
        )
        self._show()
        nodes = [oracle.node for oracle in self._oracles]
        names = NodeNames(
            by_transmitter={node.transmitter_address.lower(): node.name for node in nodes},
            by_index=[node.name for node in nodes],
        )
        longest_s = longest_pass_s(len(config.feeds), config.transaction_batch, _TRANSACTION_DEADLINE_S)
        self._passes = PassWatch(clock, longest_s)
        self.rounds = RoundFollower(self._chain, names, self._followed, clock, self._passes)

    def _sender_of(self, private_key: str) -> Sender:
        chain = self._config.chain
        return Sender(
            self._chain,
            private_key,
            chain.gas_price_wei,
            self._clock,
            _TRANSACTION_DEADLINE_S,
            most_gas_price_wei=chain.most_gas_price_wei,
        )

    @asynccontextmanager
    async def running(self, report: Callable[[bool], Awaitable[None]]) -> AsyncIterator[asyncio.Future[list[None]]]:
        """
        Reconcile and follow rounds in the background while the body runs; give what ends only with an error.

        `report` is told when a pass never ends, with False, and when all is well again, with True.
        """
        reconciling = reconcile_loop.run(
            self.reconciler.parts,
            lambda: self.reconciler.all_running,
            self._clock,
            self._passes,
            self._metrics.pass_ended,
        )
        tasks = [
            self._kept_running("rounds", self.rounds.run),
            asyncio.create_task(reconciling, name="reconcile"),
            self._kept_running("watch of passes", lambda: self._passes.run(report)),
            self._kept_running("watch of accounts", self._accounts.run),
        ]
        ended = asyncio.gather(*tasks)
        try:
            yield ended
        finally:
            for task in tasks:
                task.cancel()
            # Also what nobody waited for in the body has its end looked at here.
            await asyncio.gather(*tasks, ended, return_exceptions=True)
            await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self.reconciler.close()
        await self._chain.close()

    async def reconcile(self) -> tuple[str, ...]:
        """Make one pass and return its changes; raises the first error if there is any."""
        outcome = await self.reconciler.run()
        for error in outcome.errors.values():
            raise error
        return outcome.changes

    async def feeds(self) -> tuple[FeedStatus, ...]:
        """Return all feeds in the order of the configuration; raises ChainUnavailable if one cannot be read."""
        return tuple(await together(map(self._status, self._config.feeds)))

    async def answers(self, feed: str, count: int) -> tuple[Answer, ...]:
        """Return a feed's last answers, oldest first, none without a contract; raises ChainUnavailable."""
        record = self.reconciler.record(feed)
        target = next(each for each in self._config.feeds if each.name == feed)
        if record is None or self.reconciler.phase(feed) is FeedPhase.PENDING:
            return ()
        return await feed_contract.last_answers(self._chain, record.address, target.decimals, count)

    async def balances(self) -> Balances:
        """Return the faucet, then each transmitter, with balance and spending; raises ChainUnavailable."""
        seen = await self._accounts.look()
        cost = await self.reconciler.faucet.cost()
        return Balances(seen, cost, top_ups.minimum_wei(self._config.funding, cost))

    def _kept_running(self, name: str, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        running = keep_running(name, work, self._clock, on_death=lambda _error: self._metrics.task_died(name))
        return asyncio.create_task(running, name=name)

    def _paid(self, node: NodeIdentity, wei: int) -> None:
        self._accounts.credited(node.transmitter_address, wei)
        self._metrics.topped_up(node.name)

    def _show(self) -> None:
        """Let the metrics show what is known of feeds, nodes and accounts."""
        reconciler, feeds = self.reconciler, [feed.name for feed in self._config.feeds]

        def minimum_wei() -> int | None:
            cost = reconciler.faucet.last_cost
            return None if cost is None else top_ups.minimum_wei(self._config.funding, cost)

        def cost_wei() -> int | None:
            return None if reconciler.faucet.last_cost is None else reconciler.faucet.last_cost.wei

        self._metrics.show_feeds(
            lambda: map(reconciler.phase, feeds), lambda: {feed: len(reconciler.differences(feed)) for feed in feeds}
        )
        self._metrics.show_nodes(lambda: reconciler.node_differences)
        self._metrics.show_accounts(lambda: self._accounts.seen)
        self._metrics.show_cost(cost_wei, minimum_wei)

    async def _status(self, feed: FeedTarget) -> FeedStatus:
        phase = self.reconciler.phase(feed.name)
        record = self.reconciler.record(feed.name)
        # Before the first pass the phase is PENDING, and the recorded address may be of a chain that is gone.
        if phase is FeedPhase.PENDING or record is None:
            return FeedStatus(
                feed.name, feed.decimals, FeedPhase.PENDING, differences=self.reconciler.differences(feed.name)
            )
        answer = await feed_contract.latest_answer(self._chain, record.address, feed.decimals)
        return FeedStatus(
            feed.name,
            feed.decimals,
            phase,
            record.address,
            record.config_digest,
            answer,
            self.reconciler.differences(feed.name),
        )

    def _followed(self) -> dict[str, FollowedFeed]:
        records = self.reconciler.records
        return {
            records[feed.name].address.lower(): FollowedFeed(feed.name, feed.decimals, feed.ocr_version)
            for feed in self._config.feeds
            if feed.name in records
        }
