"""One chain as the jobs see it: its connection, and the accounts that transmit on it."""

import asyncio
from collections.abc import Iterator, Mapping

import aiohttp

from chainlink.keys.evm import EvmKey
from chainlink.rpc.client import RpcClient
from chainlink.rpc.endpoints import Endpoint
from meshkit.clock import Clock
from services.oracle.chain.answer_bounds import AnswerBounds
from services.oracle.chain.contract_config_tracker import ConfigTracker
from services.oracle.chain.contract_state import ContractStates
from services.oracle.chain.heads import HeadTracker
from services.oracle.chain.reader import AggregatorReader
from services.oracle.chain.round_request_logs import RoundRequestLogs
from services.oracle.chain.settings import EvmSettings
from services.oracle.chain.transactions.account import Account
from services.oracle.chain.transactions.kept_transactions import KeptTransactions
from services.oracle.chain.transactions.transaction_news import Follow, nobody
from services.oracle.chain.transmitter import FeedTransmitter
from services.oracle.errors import SettingInvalid


class EvmChain:
    """
    Hold one chain.

    `keys` is the live table of the node's EVM keys by address; `follow` hears what becomes of their transactions.
    """

    def __init__(
        self,
        settings: EvmSettings,
        keys: Mapping[str, EvmKey],
        transactions: KeptTransactions,
        states: ContractStates,
        *,
        session: aiohttp.ClientSession,
        clock: Clock,
        follow: Follow = nobody,
    ) -> None:
        endpoints = [Endpoint(n.name, n.http_url, n.ws_url, n.send_only, n.order) for n in settings.nodes]
        if all(endpoint.send_only for endpoint in endpoints):
            raise SettingInvalid(f"EVM[{settings.chain_id}].Nodes", "send-only nodes", "at least one without SendOnly")
        threshold = settings.node_pool.sync_threshold
        self.settings = settings
        self.transactions = transactions
        self.rpc = RpcClient(session, endpoints, settings.number, sync_threshold=threshold, clock=clock)
        self.heads = HeadTracker(
            self.rpc,
            clock,
            settings.head_interval_s,
            session=session,
            watch_s=settings.pool_interval_s,
            sync_threshold=threshold,
        )
        self._round_requests = RoundRequestLogs(self.rpc, self.heads)
        self._keys = keys
        self._states = states
        self._clock = clock
        self._follow = follow
        self._accounts: dict[str, Account] = {}

    async def run(self) -> None:
        """Follow the chain's head until cancelled."""
        await self.heads.run()

    async def resume(self) -> None:
        """Take up what was under way when the node stopped; DatabaseUnavailable if it cannot be read."""
        for address in self._keys:
            await self.account(address).resume()

    async def close(self) -> None:
        """Stop following transactions; what is under way is taken up at the next start."""
        await asyncio.gather(*(account.close() for account in self.accounts()))

    def accounts(self) -> Iterator[Account]:
        """Yield the accounts that were asked for so far."""
        yield from self._accounts.values()

    def account(self, address: str) -> Account:
        """Return the account of an address, the same one for all feeds; SettingInvalid if there is no such key."""
        if address not in self._accounts:
            key = self._keys.get(address)
            if key is None:
                raise SettingInvalid("transmitterAddress", address, f"one of {', '.join(self._keys)}")
            parts = (self.rpc, self.heads, self.settings, self.transactions, self._clock)
            self._accounts[address] = Account(key, *parts, self._follow)
        return self._accounts[address]

    def config_tracker(self, contract: str, confirmations: int) -> ConfigTracker:
        """Return what looks for a contract's configurations."""
        return ConfigTracker(self.rpc, self.heads, contract, confirmations, self._clock)

    def reader(self, contract: str) -> AggregatorReader:
        """Return what reads a feed's contract."""
        return AggregatorReader(self.rpc, self.heads, contract, self._clock, self._states, self._round_requests)

    def answer_bounds(self, contract: str) -> AnswerBounds:
        """Return what knows which answers a feed's contract takes."""
        return AnswerBounds(self.rpc, contract)

    def transmitter(self, contract: str, address: str, gas_limit: int, bounds: AnswerBounds) -> FeedTransmitter:
        """Return what transmits to a feed's contract from an address; SettingInvalid if there is no such key."""
        return FeedTransmitter(self.account(address), contract, gas_limit, bounds)
