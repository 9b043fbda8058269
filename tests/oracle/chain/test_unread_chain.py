"""Four oracles that restart behind an endpoint that cannot be read: what is due is transmitted, nothing else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import aiohttp
import pytest

from chainlink.keys.evm import EvmKey
from meshkit.clock import SystemClock
from services.oracle.chain.evm_chain import EvmChain
from services.oracle.chain.settings import EvmSettings
from services.oracle.ocr.config import PublicConfig, SharedConfig
from services.oracle.ocr.running.interfaces import Ports
from services.oracle.ocr.running.limits import LocalLimits
from services.oracle.ocr.running.runner import Runner
from services.oracle.ocr.state import Trace, TraceKind
from services.oracle.store.contracts import ContractStateStore
from services.oracle.store.database import Database
from services.oracle.store.transactions import TransactionStore
from tests.chainlink.rpc.misbehaving import MisbehavingRpc, Rule, always, http, log_range, refusal, without
from tests.oracle.anvil import CHAIN_ID, Aggregator, Anvil
from tests.oracle.ocr.committee import MS, S, make_committee, secret_of
from tests.oracle.ocr.fake_contract import FakeContract
from tests.oracle.ocr.fakes import LoopbackNetwork, World
from tests.waiting import until

HOUR_S = 3600
COMMITTEE = make_committee(
    delta_progress_ns=900 * MS,
    delta_resend_ns=200 * MS,
    delta_round_ns=300 * MS,
    delta_grace_ns=60 * MS,
    delta_stage_ns=100 * MS,
    delta_c_ns=HOUR_S * S,
    alpha_ppb=10_000_000,
)
LIMITS = LocalLimits(blockchain_s=2, database_s=2, observation_s=0.2, observation_grace_s=0.05, transmit_s=2)


class _LaterClock(SystemClock):
    """Be ahead of the system's clock by a number of seconds."""

    ahead_s = 0

    def time_ms(self) -> int:
        """Return the wall clock in Unix milliseconds."""
        return super().time_ms() + 1000 * self.ahead_s


class _Source(World):
    """Observe a price that stands still until it is set."""

    async def observe(self, epoch: int, round_number: int) -> int:
        """Return the price."""
        return self.value


class Feed:
    """Hold a feed's contract on a chain behind a proxy, and the four oracles that serve it."""

    def __init__(self, proxy: MisbehavingRpc, aggregator: Aggregator, database: Database) -> None:
        self.proxy = proxy
        self.aggregator = aggregator
        self.value = 1_000_000
        self.clock = _LaterClock()
        self.states = ContractStateStore(database)
        self._database = database
        self._public: PublicConfig | None = None

    async def configure(self) -> None:
        """Write the committee's configuration on chain."""
        config = replace(COMMITTEE.contract_config, contract=self.aggregator.address)
        for address in config.transmitters:
            await self.aggregator.anvil.fund(address)
        await self.aggregator.configure(config.signers, config.transmitters, 1, config.encoded)
        self._public = PublicConfig.from_contract(config, CHAIN_ID)

    @asynccontextmanager
    async def run(self, *rules: Rule) -> AsyncIterator[list[list[Trace]]]:
        """Start all oracles anew while the proxy obeys these rules; give their traces."""
        assert self._public is not None
        self.proxy.rules = list(rules)
        inboxes: list[asyncio.Queue[tuple[int, bytes]]] = [asyncio.Queue() for _ in range(4)]
        traces: list[list[Trace]] = [[] for _ in range(4)]
        settings = EvmSettings.read(
            {
                "ChainID": str(CHAIN_ID),
                "GasEstimator": {"Mode": "FixedPrice", "PriceDefault": "1 gwei"},
                "Nodes": [{"Name": "proxy", "HTTPURL": self.proxy.url}],
            }
        )
        async with aiohttp.ClientSession() as session:
            chains, tasks = [], []
            for index in range(4):
                key = EvmKey.from_plaintext(secret_of("transmitter", index))
                store = TransactionStore(self._database, CHAIN_ID)
                chain = EvmChain(settings, {key.address: key}, store, self.states, session=session, clock=SystemClock())
                chains.append(chain)
                bounds = chain.answer_bounds(self.aggregator.address)
                source = _Source(index, FakeContract(self._public))
                source.value = self.value
                ports = Ports(
                    source,
                    chain.reader(self.aggregator.address),
                    chain.transmitter(self.aggregator.address, key.address, 500_000, bounds),
                    # One database serves all four here, and they must not share the state of the protocol.
                    source,
                )
                peer_id, keys = COMMITTEE.peers[index].peer_id, COMMITTEE.keys[index]
                shared = SharedConfig.join(self._public, keys, peer_id, key.address)
                network = LoopbackNetwork(index, inboxes)
                runner = Runner(
                    shared, keys, network, ports, clock=self.clock, limits=LIMITS, on_trace=traces[index].append
                )
                tasks += [asyncio.create_task(chain.run()), asyncio.create_task(runner.run())]
            try:
                yield traces
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await asyncio.gather(*(chain.close() for chain in chains))
                await self.states.flush()

    async def transmissions(self) -> int:
        """Return how many reports the contract has."""
        return len(await self.aggregator.transmissions())


def declined(traces: list[list[Trace]], times: int) -> bool:
    """Tell whether every oracle found so often that there is nothing to report."""
    return all(
        sum(t.kind is TraceKind.REPORT_DECLINED and t.detail.startswith("nothing to report") for t in told) >= times
        for told in traces
    )


@pytest.fixture(name="feed")
async def _feed(
    http: aiohttp.ClientSession, anvil: Anvil, aggregator: Aggregator, database: Database
) -> AsyncIterator[Feed]:
    """Give a feed on a chain with many blocks."""
    async with MisbehavingRpc(anvil.url, http).running() as proxy:
        feed = Feed(proxy, aggregator, database)
        await feed.configure()
        await anvil.mine(1200)
        yield feed


async def test_what_cannot_be_read_is_no_reason_to_transmit(feed: Feed, anvil: Anvil) -> None:
    """
    The first report is made, and after each restart only what deviation or heartbeat demand.

    The endpoint gives logs of 499 blocks at most, then none, then nothing can be read of the contract, then it is away.
    """
    async with feed.run(log_range(499)) as traces:
        await until(lambda: declined(traces, 2))
    assert 1 == await feed.transmissions()

    away = (http(503, "gone"),)
    unreadable = (always("eth_call", refusal(-32000, "state is not available")), without("eth_getLogs"))
    for rules in ((without("eth_getLogs"),), unreadable, away, (log_range(499),)):
        async with feed.run(*rules) as traces:
            await until(lambda told=traces: declined(told, 2))  # type: ignore[misc]
        assert 1 == await feed.transmissions()

    feed.value += feed.value // 50
    async with feed.run(without("eth_getLogs")) as traces:
        await until(lambda: declined(traces, 2))
    assert 2 == await feed.transmissions()

    feed.clock.ahead_s = 2 * HOUR_S
    await anvil.rpc.call("evm_increaseTime", hex(2 * HOUR_S))
    async with feed.run(without("eth_getLogs")) as traces:
        await until(lambda: declined(traces, 2))
    assert 3 == await feed.transmissions()
