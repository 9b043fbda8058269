"""Bring the feeds' contracts and the transmitters' funds to the configured state."""

import asyncio

from meshkit import log
from meshkit.clock import Clock
from meshkit.errors import MeshError
from services.operator.concurrently import together
from services.operator.config import FeedTarget, OperatorConfig
from services.operator.errors import ChainUnavailable, TopupRequired
from services.operator.nodes.identity import OracleIdentity
from services.operator.onchain import contracts, funding, ocr_config
from services.operator.onchain.chain import Chain
from services.operator.onchain.transactions import Sender, Transaction
from services.operator.reconcile import FeedAction, decide_feed
from services.operator.saved_state import FeedRecord, FeedStore

# An RPC behind a load balancer may lag: a contract seen before is given up only when it is missing this often in a row.
_MISSES_BEFORE_LOSS = 3
_LOOKED_AT_ONCE = 16


class FeedReconciler:
    """
    Know the feeds' contracts, and make and configure them in batches that share blocks.

    Attributes:
        looked: Set once the recorded contracts were compared with the chain, or that was tried.
    """

    def __init__(
        self,
        config: OperatorConfig,
        oracles: tuple[OracleIdentity, ...],
        chain: Chain,
        sender: Sender,
        store: FeedStore,
        clock: Clock,
    ) -> None:
        self._config = config
        self._oracles = oracles
        self._chain = chain
        self._sender = sender
        self._store = store
        self._clock = clock
        self._wanted = ocr_config.desired(oracles, config.ocr, config.chain.chain_id)
        self._deployed: set[str] = set()
        self._configured: set[str] = set()
        self._misses: dict[str, int] = {}
        self.looked = asyncio.Event()
        self._next_topup_s = 0.0
        self._log = log.get_logger("services.operator.onchain.feed_reconciler")

    def is_deployed(self, feed: str) -> bool:
        """Tell whether a feed has its contract, as last seen."""
        return feed in self._deployed

    def is_configured(self, feed: str) -> bool:
        """Tell whether a feed's contract has the wanted configuration, as last seen."""
        return feed in self._configured

    def record(self, feed: FeedTarget) -> FeedRecord | None:
        """Return a feed's contract as far as it is known: the configured one, or the one we deployed."""
        record = self._store.records.get(feed.name)
        if feed.address is not None and (record is None or record.address.lower() != feed.address.lower()):
            return FeedRecord(feed.address)
        return record

    async def reconcile_contracts(self, changes: list[str], errors: dict[str, MeshError]) -> None:
        """Deploy what is missing, configure what differs; adds to both, errors under `chain` or the feed's name."""
        feeds = self._config.feeds
        try:
            await self._chain.check()
            # In pieces, so that hundreds of feeds hold nobody else up.
            decisions = [
                decision
                for batch in _batches(list(feeds), _LOOKED_AT_ONCE)
                for decision in await together(map(self._decide, batch))
            ]
        except MeshError as error:
            errors["chain"] = error
            return
        finally:
            self.looked.set()
        todo: dict[FeedAction, list[FeedTarget]] = {action: [] for action in FeedAction}
        for feed, decision in zip(feeds, decisions, strict=True):
            if isinstance(decision, MeshError):
                errors[feed.name] = decision
            else:
                todo[decision].append(feed)
        made = await self._deploy(todo[FeedAction.DEPLOY], changes, errors)
        await self._configure([*made, *todo[FeedAction.CONFIGURE]], changes, errors)

    async def _decide(self, feed: FeedTarget) -> FeedAction | MeshError:
        """Look at a feed's contract and say what it needs; keeps the phase and the record up to date."""
        record = self.record(feed)
        found = await contracts.state(self._chain, record.address) if record else None
        try:
            decision = decide_feed(
                feed, found, self._wanted, self._sender.address, may_deploy=self._config.deploy_contracts
            )
        except MeshError as error:
            self._deployed.discard(feed.name)
            self._configured.discard(feed.name)
            return error
        if decision.action is FeedAction.DEPLOY:
            if feed.name in self._deployed:
                self._misses[feed.name] = self._misses.get(feed.name, 0) + 1
                if self._misses[feed.name] < _MISSES_BEFORE_LOSS:
                    return ChainUnavailable("eth_getCode", f"the contract of {feed.name} is missing; looking again")
            self._deployed.discard(feed.name)
            self._configured.discard(feed.name)
            self._store.forget(feed.name)
            return decision.action
        if found is None:
            raise AssertionError("a contract that is not there can only be deployed")
        self._deployed.add(feed.name)
        self._misses.pop(feed.name, None)
        if decision.action is FeedAction.CONFIGURE:
            self._configured.discard(feed.name)
            self._log.info("feed_needs_configuration", feed=feed.name, reason=decision.reason)
        else:
            self._configured.add(feed.name)
        self._store.put(feed.name, FeedRecord(found.address, found.config_digest))
        return decision.action

    async def _deploy(
        self, feeds: list[FeedTarget], changes: list[str], errors: dict[str, MeshError]
    ) -> list[FeedTarget]:
        made: list[FeedTarget] = []
        for batch in _batches(feeds, self._config.transaction_batch):
            outcomes = await self._sender.send_all([contracts.deployment(self._chain, feed) for feed in batch])
            for feed, outcome in zip(batch, outcomes, strict=True):
                if isinstance(outcome, MeshError):
                    errors[feed.name] = outcome
                    continue
                address = str(outcome["contractAddress"])
                self._store.put(feed.name, FeedRecord(address))
                self._deployed.add(feed.name)
                made.append(feed)
                changes.append(f"contract of {feed.name} deployed at {address}")
        return made

    async def _configure(self, feeds: list[FeedTarget], changes: list[str], errors: dict[str, MeshError]) -> None:
        for batch in _batches(feeds, self._config.transaction_batch):
            transactions: list[Transaction] = []
            for feed in batch:
                if (record := self.record(feed)) is None:
                    raise AssertionError("a contract that is not there cannot be configured")
                transactions += contracts.configuration(
                    self._chain, feed, record.address, self._wanted, self._oracles, self._sender.address
                )
            outcomes = await self._sender.send_all(transactions)
            for position, feed in enumerate(batch):
                payees, oracle_set = outcomes[2 * position : 2 * position + 2]
                failed = next((outcome for outcome in (payees, oracle_set) if isinstance(outcome, MeshError)), None)
                if failed is not None:
                    errors[feed.name] = failed
                    continue
                await self._confirm(feed, changes, errors)

    async def _confirm(self, feed: FeedTarget, changes: list[str], errors: dict[str, MeshError]) -> None:
        """Read a configuration back: what counts is what the nodes will read."""
        try:
            decision = await self._decide(feed)
        except MeshError as error:
            errors[feed.name] = error
            return
        if isinstance(decision, MeshError):
            errors[feed.name] = decision
        elif decision is FeedAction.NOTHING and (record := self.record(feed)) is not None:
            changes.append(f"contract of {feed.name} configured, digest {record.config_digest}")

    async def reconcile_funds(self, changes: list[str], errors: dict[str, MeshError]) -> None:
        """
        Top up transmitters if it is time to look again; adds to both, errors under `faucet`.

        Raises:
            TopupRequired: when the faucet cannot pay, and the configuration says that this ends everything.
        """
        if self._clock.monotonic() < self._next_topup_s:
            return
        settings, price_wei = self._config.funding, self._config.chain.gas_price_wei
        transmitters = [oracle.node for oracle in self._oracles]
        try:
            addresses = [self._sender.address, *(node.transmitter_address for node in transmitters)]
            balances = await together(map(self._chain.balance_wei, addresses))
            wanted = funding.topups(settings, transmitters, dict(zip(addresses, balances, strict=True)))
            transfers = funding.affordable(
                wanted, self._sender.address, balances[0], price_wei, required=settings.required
            )
        except TopupRequired:
            raise
        except MeshError as error:
            errors["faucet"] = error
            return
        for transfer, outcome in zip(transfers, await self._sender.send_all(transfers), strict=True):
            if isinstance(outcome, MeshError):
                errors["faucet"] = outcome
            else:
                changes.append(f"{transfer.purpose} by {transfer.value_wei} wei")
        if "faucet" not in errors:
            self._next_topup_s = self._clock.monotonic() + settings.interval_ms / 1000


def _batches(feeds: list[FeedTarget], size: int) -> list[list[FeedTarget]]:
    return [feeds[start : start + size] for start in range(0, len(feeds), size)]
