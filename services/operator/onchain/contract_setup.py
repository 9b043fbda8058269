"""Deploy and configure the feeds' contracts."""

import asyncio
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

from chainlink.errors import UnwritableSecrets
from chainlink.identities import public_keys
from meshkit import log
from meshkit.errors import MeshError
from services.operator.concurrently import together
from services.operator.config import FeedTarget, OperatorConfig
from services.operator.errors import ChainUnavailable, ForeignOracles, IdentitiesRefused
from services.operator.nodes.identity import OracleIdentity
from services.operator.onchain import feed_contract
from services.operator.onchain.chain import Chain
from services.operator.onchain.configuration import creation_code
from services.operator.onchain.configuration.admin import Admin
from services.operator.onchain.configuration.calls import ConfigCall, calls
from services.operator.onchain.configuration.wanted_configs import WantedConfigs
from services.operator.onchain.contract_changes import (
    BOTH_PARTS,
    Config,
    ContractState,
    FeedAction,
    FeedDecision,
    Look,
    Rights,
    decide_feed,
    differences,
)
from services.operator.onchain.known_contracts import KnownContract, KnownContracts
from services.operator.onchain.lost_contracts import address_of
from services.operator.onchain.transactions import Sender, Transaction
from services.operator.outcome import Outcome, joined

# An RPC behind a load balancer may lag: a contract seen before is given up only when it is missing this often in a row.
_MISSES_BEFORE_LOSS = 3
# So often it is asked again at each look, as the next answer may come from a node that is not behind.
_DOUBTS = 6
_LOOKED_AT_ONCE = 16


class ContractSetup:
    """
    Know the feeds' contracts, and make and configure them in batches that share blocks.

    Attributes:
        looked: Set once the known contracts were compared with the chain, or that was tried.
    """

    def __init__(
        self,
        config: OperatorConfig,
        oracles: tuple[OracleIdentity, ...],
        chain: Chain,
        sender: Sender,
        known: KnownContracts,
        admin: Admin | None = None,
    ) -> None:
        self._config = config
        self._admin = admin
        self._oracles = oracles
        self._chain = chain
        self._sender = sender
        self._known = known
        self._configs = WantedConfigs(oracles, config.ocr, config.chain.chain_id)
        # A configuration that no node would take is told at once.
        wanted = [self._wanted(feed, None) for feed in config.feeds]
        own = {address.lower() for each in wanted for address in (*each.signers, *each.transmitters)}
        self._ocr2_code = b"" if config.ocr2_code_file is None else creation_code.read(config.ocr2_code_file)
        self._rights = Rights(
            sender.address,
            public_keys.addresses(config.secrets.nodes) | own,
            may_deploy=config.deploy_contracts,
            may_replace=config.replace_oracles,
            may_deploy_ocr2=bool(self._ocr2_code),
            has_admin=admin is not None,
        )
        # What was last seen of a contract, and what it was found to need.
        self._seen: dict[str, ContractState] = {}
        self._found: dict[str, ContractState] = {}
        self._decided: dict[str, FeedDecision] = {}
        self._deployed: set[str] = set()
        self._configured: set[str] = set()
        self._differences: dict[str, tuple[str, ...]] = {}
        self._misses: dict[str, int] = {}
        # The number of the configuration that a contract has at least, by what was read and sent.
        self._counts: dict[str, int] = {}
        # Whether a contract was seen that lists these nodes and nobody else.
        self._serving = False
        self._unwritable = False
        self.looked = asyncio.Event()
        self._log = log.get_logger(__name__)

    def is_deployed(self, feed: str) -> bool:
        """Tell whether a feed has its contract, as last seen."""
        return feed in self._deployed

    def is_configured(self, feed: str) -> bool:
        """Tell whether a feed's contract has the wanted configuration, as last seen."""
        return feed in self._configured

    @property
    def config_blocks(self) -> dict[str, int]:
        """Return the block of each contract's configuration by feed name, as last seen."""
        return {feed: found.config_block for feed, found in self._found.items() if found.config_block}

    def differences(self, feed: str) -> tuple[str, ...]:
        """Return in words in what a feed's contract is not configured as wanted, as last seen."""
        return self._differences.get(feed, ())

    def _wanted(self, feed: FeedTarget, found: ContractState | None) -> Config:
        answers = None if found is None else found.answers
        return self._configs.of(feed, answers or feed_contract.answer_range(feed.decimals))

    def record(self, feed: FeedTarget) -> KnownContract | None:
        """Return a feed's contract as far as it is known: the configured one, or the one we deployed."""
        record = self._known.records.get(feed.name)
        if feed.address is not None and (record is None or record.address.lower() != feed.address.lower()):
            return KnownContract(feed.address)
        return record

    async def run(self) -> Outcome:
        """Deploy what is missing, configure what differs; raises as `look`."""
        return await self.act(await self.look())

    async def look(self) -> Look:
        """
        Look at every feed's contract and say what is to be done; the errors stand under `chain` or the feed's name.

        Raises:
            IdentitiesRefused: when every contract that lists oracles lists some that are not ours.
        """
        feeds = self._config.feeds
        try:
            await self._chain.check()
            await self._sender.await_earlier()
            # In pieces, so that hundreds of feeds hold nobody else up.
            decisions = [
                decision
                for batch in _batches(list(feeds), _LOOKED_AT_ONCE)
                for decision in await together(map(self._decide, batch))
            ]
        except MeshError as error:
            return Look({"chain": error})
        finally:
            self.looked.set()
        failed: dict[str, MeshError] = {}
        todo: dict[FeedAction, list[FeedTarget]] = {action: [] for action in FeedAction}
        for feed, decision in zip(feeds, decisions, strict=True):
            if isinstance(decision, MeshError):
                failed[feed.name] = decision
            else:
                todo[decision].append(feed)
        foreign = [error for error in failed.values() if isinstance(error, ForeignOracles)]
        if foreign and not self._serving:
            raise IdentitiesRefused(self._config.secrets.nodes, len(foreign), foreign[0])
        return Look(failed, tuple(todo[FeedAction.DEPLOY]), tuple(todo[FeedAction.CONFIGURE]))

    async def act(self, look: Look) -> Outcome:
        """Do what a look has found to be done."""
        deployment = await self._deploy(list(look.deploy))
        made = [feed for feed in look.deploy if feed.name not in deployment.errors]
        configuration = await self._configure([*made, *look.configure])
        return joined((Outcome(errors=MappingProxyType(dict(look.errors))), deployment, configuration))

    def planned(self, look: Look) -> tuple[ConfigCall, ...]:
        """Return what `act` would send for what a look has found; a secret in it would be another one."""
        made = [ConfigCall(feed_contract.deployment(self._chain, feed, self._ocr2_code)) for feed in look.deploy]
        return (*made, *(call for feed in look.configure for call in self._calls(feed)))

    async def _decide(self, feed: FeedTarget) -> FeedAction | MeshError:
        """Look at a feed's contract and say what it needs; keeps what is known of it up to date."""
        record = self.record(feed)
        found = None if record is None else await self._state(feed, record)
        if found is not None and found.config_count < self._count(feed, record):
            if self._missed(feed) < _MISSES_BEFORE_LOSS:
                what = f"configuration {found.config_count} of {feed.name} was told after a later one; looking again"
                return ChainUnavailable("latestConfigDetails()", what)
            self._counts[feed.name] = found.config_count
        wanted = self._wanted(feed, found)
        is_comparable = found is not None and found.shape.ocr_version == feed.ocr_version
        self._differences[feed.name] = differences(found, wanted) if found is not None and is_comparable else ()
        self._seen.pop(feed.name, None)
        try:
            decision = decide_feed(feed, found, wanted, self._rights)
        except MeshError as error:
            self._deployed.discard(feed.name)
            self._configured.discard(feed.name)
            return error
        if decision.action is FeedAction.DEPLOY:
            if feed.name in self._deployed and self._missed(feed) < _MISSES_BEFORE_LOSS:
                return ChainUnavailable("eth_getCode", f"the contract of {feed.name} is missing; looking again")
            self._deployed.discard(feed.name)
            self._configured.discard(feed.name)
            self._known.forget(feed.name)
            self._counts.pop(feed.name, None)
            return decision.action
        if found is None:
            raise AssertionError("a contract that is not there can only be deployed")
        self._deployed.add(feed.name)
        self._misses.pop(feed.name, None)
        self._counts[feed.name] = found.config_count
        if any(address.lower() in self._rights.ours for address in found.oracles):
            self._serving = True
        if decision.action is FeedAction.CONFIGURE:
            self._configured.discard(feed.name)
            found_text = list(decision.differences)
            self._log.info("feed_needs_configuration", feed=feed.name, reason=decision.reason, found=found_text)
        else:
            self._configured.add(feed.name)
            if found.config is not None:
                self._seen[feed.name] = found
        self._found[feed.name], self._decided[feed.name] = found, decision
        self._remember(feed, KnownContract(found.address, found.config_digest, found.config_count))
        return decision.action

    async def _state(self, feed: FeedTarget, record: KnownContract) -> ContractState | None:
        """Return what a known contract says; what would be less than is known of it is asked again."""
        seen = self._seen.get(feed.name)
        if seen is not None and seen.address != record.address:
            seen = None
        found = await feed_contract.state(self._chain, record.address, seen)
        for _ in range(_DOUBTS):
            if found is not None and found.config_count >= self._count(feed, record):
                break
            found = await feed_contract.state(self._chain, record.address) or found
        return found

    def _count(self, feed: FeedTarget, record: KnownContract | None) -> int:
        return self._counts.get(feed.name, record.config_count if record else 0)

    def _missed(self, feed: FeedTarget) -> int:
        self._misses[feed.name] = self._misses.get(feed.name, 0) + 1
        return self._misses[feed.name]

    def _remember(self, feed: FeedTarget, record: KnownContract) -> None:
        """Keep what is known of a contract that exists; where that cannot be written it is found again all the same."""
        try:
            self._known.put(feed.name, record)
        except UnwritableSecrets as error:
            if not self._unwritable:
                self._log.warning("contracts_not_remembered", error=str(error))
            self._unwritable = True

    async def _deploy(self, feeds: list[FeedTarget]) -> Outcome:
        changes: list[str] = []
        errors: dict[str, MeshError] = {}
        if feeds:
            try:
                # Before money is spent on what could not be remembered.
                self._known.save()
            except UnwritableSecrets as error:
                return Outcome(errors=MappingProxyType({feed.name: error for feed in feeds}))
        for batch in _batches(feeds, self._config.transaction_batch):
            deployments = [
                feed_contract.deployment(self._chain, feed, self._ocr2_code, self._config.link_token) for feed in batch
            ]
            names = {each.purpose: feed.name for each, feed in zip(deployments, batch, strict=True)}
            receipts = await self._sender.send_all(deployments, partial(self._plan, names))
            made = {
                feed.name: KnownContract(str(receipt.contract))
                for feed, receipt in zip(batch, receipts, strict=True)
                if not isinstance(receipt, MeshError)
            }
            self._known.put_all(made)
            for feed, receipt in zip(batch, receipts, strict=True):
                if isinstance(receipt, MeshError):
                    errors[feed.name] = receipt
                    continue
                address = made[feed.name].address
                self._deployed.add(feed.name)
                self._found[feed.name] = feed_contract.new_state(feed, address, self._sender.address)
                self._decided[feed.name] = FeedDecision(FeedAction.CONFIGURE, "no configuration", parts=BOTH_PARTS)
                changes.append(f"contract of {feed.name} deployed at {address}")
        return Outcome(tuple(changes), errors)

    def _plan(self, names: Mapping[str, str], transaction: Transaction, nonce: int) -> None:
        """Keep where a contract will stand before it is paid for: who comes after a kill finds it there."""
        self._known.put(names[transaction.purpose], KnownContract(address_of(self._sender.address, nonce)))

    async def _configure(self, feeds: list[FeedTarget]) -> Outcome:
        outcomes: list[Outcome] = []
        for batch in _batches(feeds, self._config.transaction_batch):
            planned: dict[FeedTarget, tuple[ConfigCall, ...]] = {}
            for feed in batch:
                try:
                    planned[feed] = self._calls(feed)
                except MeshError as error:
                    outcomes.append(Outcome(errors={feed.name: error}))
            failed = await self._send(planned)
            sent = [feed for feed in planned if feed.name not in failed]
            for feed in sent:
                # A contract without oracles tells nothing of timings alone.
                self._counts[feed.name] = self._counts.get(feed.name, 0) + 1
            confirmed = dict(zip(sent, await together(map(self._confirm, sent)), strict=True))
            outcomes += [
                confirmed[feed] if feed in confirmed else Outcome(errors={feed.name: failed[feed.name]})
                for feed in planned
            ]
        return joined(outcomes)

    def _calls(self, feed: FeedTarget) -> tuple[ConfigCall, ...]:
        """Return what configures a feed's contract as it was last seen; InvalidOcrConfig if an oracle has no keys."""
        found, decision = self._found[feed.name], self._decided[feed.name]
        wanted = self._wanted(feed, found)
        payee = self._sender.address
        return calls(feed, found.shape, found.address, wanted, self._oracles, payee, decision.parts)

    async def _send(self, planned: Mapping[FeedTarget, tuple[ConfigCall, ...]]) -> dict[str, MeshError]:
        """Send what configures a batch of contracts, the owner's calls first; return the first error of each feed."""
        failed: dict[str, MeshError] = {}
        for by_admin in (False, True):
            chosen = [
                (feed, call.transaction)
                for feed, each in planned.items()
                for call in each
                if call.by_admin is by_admin and feed.name not in failed
            ]
            sender = self._admin if by_admin and self._admin is not None else self._sender
            receipts = await sender.send_all([transaction for _, transaction in chosen])
            for (feed, _), receipt in zip(chosen, receipts, strict=True):
                if isinstance(receipt, MeshError):
                    failed.setdefault(feed.name, receipt)
        return failed

    async def _confirm(self, feed: FeedTarget) -> Outcome:
        """Read a configuration back: what counts is what the nodes will read."""
        try:
            decision = await self._decide(feed)
        except MeshError as error:
            return Outcome(errors={feed.name: error})
        if isinstance(decision, MeshError):
            return Outcome(errors={feed.name: decision})
        record = self.record(feed)
        if decision is not FeedAction.NOTHING or record is None:
            return Outcome()
        return Outcome((f"contract of {feed.name} configured, digest {record.config_digest}",))


def _batches(feeds: list[FeedTarget], size: int) -> list[list[FeedTarget]]:
    return [feeds[start : start + size] for start in range(0, len(feeds), size)]
