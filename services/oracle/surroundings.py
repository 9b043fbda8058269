"""What every job of a node shares."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chainlink.rpc.client import RpcClient
from meshkit.clock import Clock
from meshkit.metrics import Registry
from services.oracle.chain.account import Account
from services.oracle.chain.heads import HeadTracker
from services.oracle.chain.settings import EvmSettings
from services.oracle.errors import SettingInvalid
from services.oracle.keys.ring import Keyring
from services.oracle.metrics import OracleMetrics
from services.oracle.p2p.host import Host
from services.oracle.pipeline.fetch import Fetcher
from services.oracle.rounds import Rounds
from services.oracle.settings import Config
from services.oracle.store.announcements import AnnouncementStore
from services.oracle.store.answers import AnswerStore
from services.oracle.store.contract_configs import ContractConfigStore
from services.oracle.store.protocol import PostgresProtocolStore
from services.oracle.store.runs import RunStore
from services.oracle.store.transactions import TransactionStore


@dataclass(slots=True)
class Chain:
    """Hold one chain's connection and the accounts that transmit on it."""

    settings: EvmSettings
    rpc: RpcClient
    heads: HeadTracker
    transactions: TransactionStore
    accounts: dict[str, Account]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Hold the node-wide parts."""

    config: Config
    keyring: Keyring
    host: Host
    chains: Mapping[int, Chain]
    fetcher: Fetcher
    answers: AnswerStore
    announcements: AnnouncementStore
    runs: RunStore
    contract_configs: ContractConfigStore
    protocol: PostgresProtocolStore
    rounds: Rounds
    registry: Registry
    metrics: OracleMetrics
    clock: Clock

    def account(self, chain: Chain, address: str) -> Account:
        """Return the account of an address, the same one for all feeds; SettingInvalid if there is no such key."""
        if address not in chain.accounts:
            key = self.keyring.evm.get(address)
            if key is None:
                raise SettingInvalid("transmitterAddress", address, f"one of {', '.join(self.keyring.evm)}")
            chain.accounts[address] = Account(
                key, chain.rpc, chain.heads, chain.settings, chain.transactions, self.clock
            )
        return chain.accounts[address]

    def bootstrappers(self, locators: Sequence[str]) -> dict[str, list[str]]:
        """Return addresses by peer id of a job's locators, or of config.toml's if it has none; oneself is left out."""
        found: dict[str, list[str]] = {}
        for locator in locators or self.config.p2p.v2.default_bootstrappers:
            peer_id, _, places = locator.partition("@")
            if peer_id != self.host.peer_id:
                found.setdefault(peer_id, []).extend(places.split("/"))
        return found
